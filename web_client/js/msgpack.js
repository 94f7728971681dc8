/**
 * MessagePack for the live protocol (https://github.com/msgpack/msgpack/blob/master/spec.md):
 * nil, booleans, numbers, text, binary, arrays and maps with text keys. Extension types are refused.
 * @module
 */

/** Deeper messages than this are refused rather than followed. */
const MAX_DEPTH = 16;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes that are not a MessagePack value, or a value that MessagePack cannot hold. */
export class MsgpackError extends Error {}

/** A growing byte buffer. */
class Writer {
  constructor() {
    this.bytes = new Uint8Array(512);
    this.view = new DataView(this.bytes.buffer);
    this.length = 0;
  }

  /**
   * Make room for `count` more bytes and return where they start.
   * @param {number} count
   */
  reserve(count) {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  /** @param {number} value */
  uint8(value) {
    const at = this.reserve(1); // first, because it may replace the view
    this.view.setUint8(at, value);
  }

  /** @param {number} value */
  uint16(value) {
    const at = this.reserve(2); // first, because it may replace the view
    this.view.setUint16(at, value);
  }

  /** @param {number} value */
  uint32(value) {
    const at = this.reserve(4); // first, because it may replace the view
    this.view.setUint32(at, value);
  }

  /** @param {Uint8Array} data */
  raw(data) {
    const at = this.reserve(data.length);
    this.bytes.set(data, at);
  }
}

/**
 * @param {Writer} out
 * @param {number} value
 */
function writeNumber(out, value) {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    out.uint8(0xcb);
    const at = out.reserve(8);
    out.view.setFloat64(at, value);
  } else if (value >= 0 && value < 0x80) out.uint8(value);
  else if (value < 0 && value >= -0x20) out.uint8(0x100 + value);
  else if (value >= 0 && value <= 0xff) {
    out.uint8(0xcc);
    out.uint8(value);
  } else if (value >= 0 && value <= 0xffff) {
    out.uint8(0xcd);
    out.uint16(value);
  } else if (value >= 0 && value <= 0xffffffff) {
    out.uint8(0xce);
    out.uint32(value);
  } else if (value >= -0x80000000 && value < 0) {
    out.uint8(0xd2);
    out.uint32(value >>> 0);
  } else {
    out.uint8(0xd3);
    const at = out.reserve(8);
    out.view.setBigInt64(at, BigInt(value));
  }
}

/**
 * @param {Writer} out
 * @param {number} length
 * @param {[number, number, number]} codes the type bytes for 8-, 16- and 32-bit lengths (0: no such form)
 */
function writeLength(out, length, codes) {
  if (length <= 0xff && codes[0]) {
    out.uint8(codes[0]);
    out.uint8(length);
  } else if (length <= 0xffff) {
    out.uint8(codes[1]);
    out.uint16(length);
  } else {
    out.uint8(codes[2]);
    out.uint32(length);
  }
}

/**
 * @param {Writer} out
 * @param {unknown} value
 * @param {number} depth
 */
function write(out, value, depth) {
  if (depth > MAX_DEPTH) throw new MsgpackError('too deep');
  if (value === null || value === undefined) out.uint8(0xc0);
  else if (value === false) out.uint8(0xc2);
  else if (value === true) out.uint8(0xc3);
  else if (typeof value === 'number') writeNumber(out, value);
  else if (typeof value === 'string') {
    const data = utf8Encoder.encode(value);
    if (data.length < 32) out.uint8(0xa0 | data.length);
    else writeLength(out, data.length, [0xd9, 0xda, 0xdb]);
    out.raw(data);
  } else if (value instanceof Uint8Array) {
    writeLength(out, value.length, [0xc4, 0xc5, 0xc6]);
    out.raw(value);
  } else if (Array.isArray(value)) {
    if (value.length < 16) out.uint8(0x90 | value.length);
    else writeLength(out, value.length, [0, 0xdc, 0xdd]);
    for (const item of value) write(out, item, depth + 1);
  } else if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    if (entries.length < 16) out.uint8(0x80 | entries.length);
    else writeLength(out, entries.length, [0, 0xde, 0xdf]);
    for (const [key, item] of entries) {
      write(out, key, depth + 1);
      write(out, item, depth + 1);
    }
  } else throw new MsgpackError(`cannot encode a ${typeof value}`);
}

/**
 * Encode one value. Map entries that are `undefined` are left out.
 * @param {unknown} value
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {MsgpackError} a function, a symbol, a class instance, or more than 16 levels
 */
export function encode(value) {
  const out = new Writer();
  write(out, value, 0);
  return out.bytes.slice(0, out.length);
}

/** Walks over the bytes of one message. */
class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  /**
   * Step over `count` bytes and return where they start.
   * @param {number} count
   */
  take(count) {
    const at = this.at;
    if (at + count > this.bytes.length) throw new MsgpackError('truncated');
    this.at = at + count;
    return at;
  }

  /** @param {1 | 2 | 4} width */
  uint(width) {
    const at = this.take(width);
    if (width === 1) return this.view.getUint8(at);
    return width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
  }

  /** @param {number} length */
  text(length) {
    const at = this.take(length);
    try {
      return utf8Decoder.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw new MsgpackError('text is not UTF-8');
    }
  }

  /** @param {number} length */
  binary(length) {
    const at = this.take(length);
    return this.bytes.slice(at, at + length);
  }

  /** @param {bigint} value */
  wide(value) {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new MsgpackError('integer beyond 53 bits');
    return number;
  }

  /**
   * @param {number} length
   * @param {number} depth
   */
  array(length, depth) {
    if (length > this.bytes.length - this.at) throw new MsgpackError('truncated');
    /** @type {unknown[]} */
    const items = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  /**
   * @param {number} length
   * @param {number} depth
   */
  map(length, depth) {
    if (2 * length > this.bytes.length - this.at) throw new MsgpackError('truncated');
    /** @type {Record<string, unknown>} */
    const items = Object.create(null);
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') throw new MsgpackError('map key is not text');
      items[key] = this.value(depth + 1);
    }
    return items;
  }

  /**
   * @param {number} depth
   * @returns {unknown}
   */
  value(depth) {
    if (depth > MAX_DEPTH) throw new MsgpackError('too deep');
    const code = this.uint(1);
    if (code < 0x80) return code;
    if (code < 0x90) return this.map(code & 0x0f, depth);
    if (code < 0xa0) return this.array(code & 0x0f, depth);
    if (code < 0xc0) return this.text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    switch (code) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.binary(this.uint(1));
      case 0xc5: return this.binary(this.uint(2));
      case 0xc6: return this.binary(this.uint(4));
      case 0xca: return this.view.getFloat32(this.take(4));
      case 0xcb: return this.view.getFloat64(this.take(8));
      case 0xcc: return this.uint(1);
      case 0xcd: return this.uint(2);
      case 0xce: return this.uint(4);
      case 0xcf: return this.wide(this.view.getBigUint64(this.take(8)));
      case 0xd0: return this.view.getInt8(this.take(1));
      case 0xd1: return this.view.getInt16(this.take(2));
      case 0xd2: return this.view.getInt32(this.take(4));
      case 0xd3: return this.wide(this.view.getBigInt64(this.take(8)));
      case 0xd9: return this.text(this.uint(1));
      case 0xda: return this.text(this.uint(2));
      case 0xdb: return this.text(this.uint(4));
      case 0xdc: return this.array(this.uint(2), depth);
      case 0xdd: return this.array(this.uint(4), depth);
      case 0xde: return this.map(this.uint(2), depth);
      case 0xdf: return this.map(this.uint(4), depth);
      default: throw new MsgpackError(`type byte 0x${code.toString(16)} is not part of the protocol`);
    }
  }
}

/**
 * Decode exactly one value. Maps come back without a prototype, so no key can shadow a method.
 * @param {ArrayBuffer | Uint8Array} data
 * @returns {unknown}
 * @throws {MsgpackError} truncated or trailing bytes, extension types, non-text keys, more than 16 levels
 */
export function decode(data) {
  const reader = new Reader(data instanceof Uint8Array ? data : new Uint8Array(data));
  const value = reader.value(0);
  if (reader.at !== reader.bytes.length) throw new MsgpackError('bytes after the end');
  return value;
}
