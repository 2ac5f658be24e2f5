// What runs/ logs through; pino has this shape.

export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silent: Logger = {info() {}, warn() {}, error() {}};
