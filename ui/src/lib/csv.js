// Annotated CSV, read as it arrives.

/** Splits text that comes in pieces into rows of cells; quotes, CRLF and pieces cut anywhere are understood. */
export class Rows {
  #cells = [];
  #cell = "";
  #quoted = false;
  #afterQuote = false;
  #started = false;

  constructor(onRow) {
    this.onRow = onRow;
  }

  push(text) {
    for (const c of text) this.#take(c);
  }

  end() {
    if (this.#started) this.#row();
  }

  #take(c) {
    if (this.#quoted) {
      if (this.#afterQuote) {
        this.#afterQuote = false;
        if (c === '"') {
          this.#cell += '"';
          return;
        }
        this.#quoted = false;
      } else if (c === '"') {
        this.#afterQuote = true;
        return;
      } else {
        this.#cell += c;
        return;
      }
    }
    if (c === "\n") {
      this.#row();
      return;
    }
    this.#started = true;
    if (c === '"' && this.#cell === "") this.#quoted = true;
    else if (c === ",") {
      this.#cells.push(this.#cell);
      this.#cell = "";
    } else if (c !== "\r") this.#cell += c;
  }

  #row() {
    this.#cells.push(this.#cell);
    const cells = this.#cells;
    this.#cells = [];
    this.#cell = "";
    this.#quoted = this.#afterQuote = this.#started = false;
    this.onRow(cells);
  }
}

const READ = {
  double: (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text)),
  // Beyond 2^53 a number would lose digits; the text keeps them.
  long: (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text),
  boolean: (text) => text === "true",
};
READ.unsignedLong = READ.long;

/**
 * Gathers tables: {result, table, columns: [{label, type, group}], rows: [[cell…]]}.
 * An error table throws an Error with its text; what came before stays in `tables`.
 */
export class Tables {
  tables = [];
  #types = [];
  #groups = [];
  #defaults = [];
  #header = null;
  #current = null;
  #reader = new Rows((cells) => this.#row(cells));

  push(text) {
    this.#reader.push(text);
  }

  end() {
    this.#reader.end();
    return this.tables;
  }

  #row(cells) {
    if (cells.length === 1 && cells[0] === "") {
      this.#header = null;
      this.#current = null;
      return;
    }
    if (cells[0].startsWith("#")) {
      if (this.#header) {
        this.#header = null;
        this.#current = null;
        this.#defaults = [];
      }
      if (cells[0] === "#datatype") this.#types = cells;
      else if (cells[0] === "#group") this.#groups = cells;
      else if (cells[0] === "#default") this.#defaults = cells;
      return;
    }
    if (!this.#header) {
      this.#header = cells;
      // An empty table has no row; its number stands among the defaults.
      if (cells[2] === "table" && this.#defaults[2]) this.#begin(this.#defaults[1], this.#defaults[2]);
      return;
    }
    if (this.#header[1] === "error" && this.#header[2] === "reference") throw new Error(cells[1]);
    const filled = cells.map((cell, i) => (cell === "" ? (this.#defaults[i] ?? "") : cell));
    const [, result, table] = filled;
    if (!this.#current || this.#current.table !== table || this.#current.result !== result) this.#begin(result, table);
    this.#current.rows.push(
      filled.slice(3).map((cell, i) => {
        const read = READ[this.#types[i + 3]];
        return cell === "" ? null : read ? read(cell) : cell;
      }),
    );
  }

  #begin(result, table) {
    this.#current = {
      result,
      table,
      columns: this.#header.slice(3).map((label, i) => ({
        label,
        type: this.#types[i + 3] ?? "string",
        group: this.#groups[i + 3] === "true",
      })),
      rows: [],
    };
    this.tables.push(this.#current);
  }
}

/** All tables of a text. */
export function parse(text) {
  const tables = new Tables();
  tables.push(text);
  return tables.end();
}

/** A text as a Flux string literal. */
export function fluxString(text) {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\$\{/g, "\\${")}"`;
}

/** A name as an InfluxQL identifier. */
export function influxqlIdentifier(text) {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
}
