// Pieces of text → a prefix tree over UTF-16 code units, walked one unit at a time.

/** Longer pieces are refused where vocabularies are read: a walk costs at most this much at each position of a text. */
export const maxPieceLength = 1000;
/** Of all pieces together; a Map holds twice that. The largest vocabularies have two million. */
export const maxPieceUnits = 1 << 23;

export class PieceTrie {
  /** The node that no piece leads to stands for "no such node": the root is nobody's child. */
  static readonly root = 0;
  /** By node and unit: node * 2^16 + unit. */
  private readonly edges = new Map<number, number>();
  private readonly values: number[] = [-1];

  /** value: 0 or more. A piece that is there already gets the new value. */
  add(piece: string, value: number): void {
    let node = PieceTrie.root;
    for (let i = 0; i < piece.length; i++) {
      const key = node * 65536 + piece.charCodeAt(i);
      let next = this.edges.get(key);
      if (next === undefined) {
        next = this.values.push(-1) - 1;
        this.edges.set(key, next);
      }
      node = next;
    }
    this.values[node] = value;
  }

  /** The node below, undefined where no piece goes on that way. */
  next(node: number, unit: number): number | undefined {
    return this.edges.get(node * 65536 + unit);
  }

  /** Of the piece that ends at the node, -1 where none ends. */
  value(node: number): number {
    return this.values[node];
  }
}
