/**
 * Up to which sizes Redis keeps collections in their compact form. Only OBJECT ENCODING and the
 * order of small collections tell; CONFIG SET changes them on one node. Those of streams are sent
 * along with the commands of that node's clients.
 */
export const encodingLimits = {
  hashEntries: 512,
  hashValueBytes: 64,
  setIntegers: 512,
  zsetEntries: 128,
  zsetValueBytes: 64,
  streamNodeEntries: 100,
  streamNodeBytes: 4096,
};
