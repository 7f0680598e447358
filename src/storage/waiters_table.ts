import { RowsTable } from "./rows_table.ts";

/**
 * The commands that wait for data, by their place in the log: a part of the state, so that a node
 * that begins with a snapshot, or with a log whose older part is gone, knows whom to serve.
 */
export class WaitersTable extends RowsTable {
  constructor() {
    super("waiter");
  }
}
