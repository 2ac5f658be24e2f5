// A byte of a pickle → the name of its opcode, for those that are refused as for those that are read (Python's pickletools, protocols 0 to 5).

/** Opcodes that a state dict of torch.save consists of. */
export const opcodes = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
} as const;

/** All others, whose effect nothing here has. */
const refused: Record<number, string> = {
  ...{
    48: 'POP',
    49: 'POP_MARK',
    50: 'DUP',
    70: 'FLOAT',
    71: 'BINFLOAT',
    73: 'INT',
    76: 'LONG',
    80: 'PERSID',
    83: 'STRING',
  },
  ...{
    84: 'BINSTRING',
    85: 'SHORT_BINSTRING',
    86: 'UNICODE',
    66: 'BINBYTES',
    67: 'SHORT_BINBYTES',
    100: 'DICT',
    103: 'GET',
  },
  ...{
    105: 'INST',
    108: 'LIST',
    111: 'OBJ',
    112: 'PUT',
    129: 'NEWOBJ',
    130: 'EXT1',
    131: 'EXT2',
    132: 'EXT4',
    139: 'LONG4',
  },
  ...{
    140: 'SHORT_BINUNICODE',
    141: 'BINUNICODE8',
    142: 'BINBYTES8',
    143: 'EMPTY_SET',
    144: 'ADDITEMS',
    145: 'FROZENSET',
  },
  ...{146: 'NEWOBJ_EX', 147: 'STACK_GLOBAL', 148: 'MEMOIZE', 149: 'FRAME', 150: 'BYTEARRAY8', 151: 'NEXT_BUFFER'},
  ...{152: 'READONLY_BUFFER'},
};

const names = new Map([
  ...Object.entries(refused).map(([code, name]) => [Number(code), name] as const),
  ...Object.entries(opcodes).map(([name, code]) => [code, name] as const),
]);

export function opcodeName(code: number): string {
  return names.get(code) ?? `0x${code.toString(16).padStart(2, '0')}`;
}
