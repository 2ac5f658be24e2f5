// Instance ids as allenai/cartography writes guids: whole numbers where all of them are, else texts.

const whole = /^(0|-?[1-9]\d{0,30})$/;

/** The JSON of each. */
export function guidText(guids: string[]): (guid: string) => string {
  return guids.every(guid => whole.test(guid)) ? guid => guid : guid => JSON.stringify(guid);
}
