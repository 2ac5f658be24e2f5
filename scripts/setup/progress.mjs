// Steps → one line each: what was done, in how many seconds. On a terminal the line of the running step is rewritten.
const width = 14;

export function createProgress(stream) {
  const isTerminal = Boolean(stream.isTTY);
  const rewrite = text => isTerminal && stream.write(`\r\x1b[2K${text.slice(0, (stream.columns || 80) - 1)}`);
  return {
    note: text => {
      rewrite('');
      stream.write(`  ${text}\n`);
    },
    /** `work` may report how many bytes have arrived; what it returns stands in the finished line. */
    step: async (title, work) => {
      const start = performance.now();
      let bytes = 0;
      const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
      const tick = () => {
        const size = bytes > 0 ? `  ${(bytes / 1e6).toFixed(0)} MB` : '';
        rewrite(`  … ${title.padEnd(width)}${seconds()} s${size}`);
      };
      const timer = isTerminal ? setInterval(tick, 250) : undefined;
      try {
        tick();
        const result = await work(arrived => {
          bytes = arrived;
        });
        rewrite('');
        stream.write(`  ✔ ${title.padEnd(width)}${result}  (${seconds()} s)\n`);
      } catch (error) {
        rewrite('');
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
