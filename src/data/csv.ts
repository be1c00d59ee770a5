/** Tables of comma-separated values (RFC 4180): quoted fields, CRLF, a byte-order mark. */
import { readFileSync } from 'node:fs';

/** Rows by column name; `line` is the row's line in the file, for messages. */
export interface Table {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly line: number; readonly fields: ReadonlyMap<string, string> }[];
}

/**
 * Reads a table whose first line names the columns; names and fields are trimmed, empty lines left
 * out. Throws one sentence for a column of `required` that is absent, a row that is longer or
 * shorter than the header, and a quote that is never closed.
 */
export function readTable(path: string, required: readonly string[]): Table {
  const [header, ...lines] = splitTable(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''), path);
  const columns = (header?.fields ?? []).map((name) => name.trim());
  const absent = required.filter((name) => !columns.includes(name));
  if (absent.length > 0) {
    const got = columns.filter((name) => name !== '').join(', ');
    throw new Error(
      `${path}: expected the columns ${required.join(', ')}, ` +
        `got ${got === '' ? 'none' : got} (${absent.join(', ')} missing)`,
    );
  }
  const rows = lines.map(({ line, fields }) => {
    if (fields.length !== columns.length) {
      throw new Error(
        `${path}: expected ${columns.length} fields as in the header, ` +
          `got ${fields.length} in line ${line}`,
      );
    }
    return { line, fields: new Map(columns.map((name, k) => [name, fields[k].trim()])) };
  });
  return { path, columns, rows };
}

function splitTable(text: string, path: string): { line: number; fields: string[] }[] {
  const rows: { line: number; fields: string[] }[] = [];
  let fields: string[] = [];
  let field = '';
  let opened = 0;
  let line = 1;
  let start = 1;
  const endRow = () => {
    fields.push(field);
    if (fields.some((value) => value.trim() !== '')) rows.push({ line: start, fields });
    fields = [];
    field = '';
  };
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === '\n') line += 1;
    if (opened > 0) {
      if (letter !== '"') field += letter;
      else if (text[i + 1] === '"') field += text[++i];
      else opened = 0;
    } else if (letter === '"' && field === '') {
      opened = line;
    } else if (letter === ',') {
      fields.push(field);
      field = '';
    } else if (letter === '\n') {
      endRow();
      start = line;
    } else if (letter !== '\r') {
      field += letter;
    }
  }
  if (opened > 0) {
    throw new Error(`${path}: expected a closing quote, got none for the one in line ${opened}`);
  }
  endRow();
  return rows;
}
