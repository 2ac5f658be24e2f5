// A source file → the modules that it loads at run time. `import type` is free: it is erased.
import {readFileSync} from 'node:fs';
import {parseSync} from 'oxc-parser';

export function runtimeImports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const {module, errors} = parseSync(file, text);
  if (errors.length > 0) throw new Error(`Cannot parse ${file}: ${errors[0].message}`);
  const isTypeOnly = ({start}: {start: number}) => /^(import|export)\s+type\b/.test(text.slice(start, start + 20));
  const named = (request: {start: number; end: number}) =>
    text.slice(request.start, request.end).replace(/^['"`]|['"`]$/g, '');
  return [
    ...module.staticImports.filter(entry => !isTypeOnly(entry)).map(entry => entry.moduleRequest.value),
    ...module.staticExports
      .filter(entry => !isTypeOnly(entry))
      .flatMap(({entries}) => entries.flatMap(({moduleRequest}) => (moduleRequest ? [moduleRequest.value] : []))),
    ...module.dynamicImports.map(({moduleRequest}) => named(moduleRequest)),
  ];
}
