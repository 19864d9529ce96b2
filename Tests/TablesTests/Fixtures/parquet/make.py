"""Makes the Parquet files in this folder, and beside each its rows as JSON lines, written from the values themselves.

    python3 -m venv /tmp/pyarrow && /tmp/pyarrow/bin/pip install pyarrow==26.0.1 && /tmp/pyarrow/bin/python make.py
"""

import base64
import datetime
import decimal
import json
import os
import random
import struct
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption

folder = os.path.dirname(os.path.abspath(__file__))
dice = random.Random(1)
decimal.getcontext().prec = 100
EPOCH = datetime.datetime(1970, 1, 1)


class Digits(str):
    """A number's digits as they are to stand in JSON."""


def real(value):
    if value is None:
        return None
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return Digits(repr(value))


def stamp(ticks, per_second):
    """RFC 3339 with all digits of the fraction, from whole numbers alone."""
    if ticks is None:
        return None
    seconds, rest = divmod(ticks, per_second)
    text = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return text.rjust(19, "0") + ("." + str(rest).rjust(len(str(per_second)) - 1, "0") if rest else "") + "Z"


def line(row):
    def text(value):
        return str(value) if isinstance(value, Digits) else json.dumps(value, ensure_ascii=False)

    return "{" + ", ".join(f"{json.dumps(k)}: {text(v)}" for k, v in row.items()) + "}\n"


def save(name, columns, **options):
    """columns: by name, (type, values, values as in JSON). The rows of `all` are written once."""
    nullable = options.pop("nullable", True)
    schema = pa.schema([pa.field(key, column[0], nullable=nullable) for key, column in columns.items()])
    table = pa.table([pa.array(column[1], column[0]) for column in columns.values()], schema=schema)
    settings = dict(store_schema=False, write_statistics=False, compression="none", data_page_size=1, write_batch_size=13)
    settings.update(options)
    pq.write_table(table, os.path.join(folder, name + ".parquet"), **settings)
    if columns is table_of_all:
        name = "all"
    rows = len(next(iter(columns.values()))[1])
    with open(os.path.join(folder, name + ".ndjson"), "w", encoding="utf-8") as file:
        for row in range(rows):
            file.write(line({key: column[2][row] for key, column in columns.items()}))


def holes(values, some=True):
    return [None if some and dice.random() < 0.2 else value for value in values]


def mapped(type, values, show=lambda value: value):
    return (type, values, [None if value is None else show(value) for value in values])


def integers(rows, bits, signed=True):
    least, largest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    # -2^63 is no integer of a table, and nothing above 2^63 - 1.
    least, largest = max(least, -(1 << 63) + 1), min(largest, (1 << 63) - 1)
    values = [least, largest, 0, 1] + [dice.randint(least, largest) for _ in range(rows)]
    return values[:rows]


def decimals(rows, precision, scale):
    top = 10**precision - 1
    wholes = ([top, -top, 0, 1, -1] + [dice.randint(-top, top) // 10 ** dice.randint(0, precision) for _ in range(rows)])[:rows]
    return [decimal.Decimal(whole).scaleb(-scale) for whole in wholes]


WORDS = ["", "a", "Ä", "e\u0301", "日本", "prefix", "prefixed", "prefix-suffix", 'quote " and\nline', "NA", "0012", "x" * 200]


def texts(rows):
    return [WORDS[i % len(WORDS)] if i < 2 * len(WORDS) else f"word {dice.randint(0, 9)}" for i in range(rows)]


def everything(rows, some=True):
    """A column of each type that is read."""
    columns = {"id": mapped(pa.int64(), list(range(rows)))}
    add = columns.__setitem__
    add("flag", mapped(pa.bool_(), holes([dice.random() < 0.5 for _ in range(rows)], some)))
    for bits in (8, 16, 32, 64):
        add(f"i{bits}", mapped(getattr(pa, f"int{bits}")(), holes(integers(rows, bits), some)))
        add(f"u{bits}", mapped(getattr(pa, f"uint{bits}")(), holes(integers(rows, bits, False), some)))
    doubles = ([0.0, -0.0, 0.1, 1e300, -5e-324, float("nan"), float("inf")] + [dice.gauss(0, 1) for _ in range(rows)])[:rows]
    add("f64", mapped(pa.float64(), holes(doubles, some), real))
    singles = [struct.unpack("f", struct.pack("f", x if abs(x) < 1e38 else 1.5))[0] for x in doubles]
    add("f32", mapped(pa.float32(), holes(singles, some), real))
    halves = [struct.unpack("e", struct.pack("e", x if abs(x) < 6e4 else 6e-8))[0] for x in doubles]
    add("f16", mapped(pa.float16(), holes(halves, some), real))
    add("text", mapped(pa.string(), holes(texts(rows), some)))
    add("id128", mapped(pa.uuid(), holes([uuid.UUID(int=dice.getrandbits(128)).bytes for _ in range(rows)], some), lambda b: str(uuid.UUID(bytes=b))))
    days = ([-719_162, 2_932_896, 0, -1] + [dice.randint(-20_000, 30_000) for _ in range(rows)])[:rows]
    add("day", mapped(pa.date32(), holes(days, some), lambda d: str(datetime.date(1970, 1, 1) + datetime.timedelta(days=d))))
    for unit, per_second in (("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)):
        ticks = ([0, -1, per_second - 1, -per_second] + [dice.randint(-(10**9), 4 * 10**9) * per_second + dice.randint(0, per_second - 1) for _ in range(rows)])[:rows]
        add(unit, mapped(pa.timestamp(unit, "UTC" if unit == "us" else None), holes(ticks, some), lambda t, p=per_second: stamp(t, p)))
    add("d9", mapped(pa.decimal128(9, 2), holes(decimals(rows, 9, 2), some), lambda d: Digits(f"{d:f}")))
    add("d18", mapped(pa.decimal128(18, 0), holes(decimals(rows, 18, 0), some), lambda d: Digits(f"{d:f}")))
    add("d38", mapped(pa.decimal128(38, 20), holes(decimals(rows, 38, 20), some), lambda d: Digits(f"{d:f}")))
    add("d76", mapped(pa.decimal256(76, 30), holes(decimals(rows, 76, 30), some), lambda d: Digits(f"{d:f}")))
    return columns


def kept(columns, *names):
    return {"id": columns["id"], **{name: columns[name] for name in names}}


table = table_of_all = everything(30)
for version in ("1.0", "2.0"):
    for codec in ("none", "snappy", "gzip", "zstd"):
        save(f"all-v{version[0]}-{codec}", table, data_page_version=version, compression=codec, write_page_checksum=codec in ("none", "zstd"))
save("required", everything(30, some=False), nullable=False, use_dictionary=False)
save("plain", table, use_dictionary=False)
save("plain-v2", table, use_dictionary=False, data_page_version="2.0", compression="snappy")
save("decimals-as-integers", kept(table, "d9", "d18"), store_decimal_as_integer=True, use_dictionary=False)
save("decimals-as-integers-delta", kept(table, "d9", "d18"), store_decimal_as_integer=True, use_dictionary=False, column_encoding={"d9": "DELTA_BINARY_PACKED", "d18": "DELTA_BINARY_PACKED"})
save("format-1.0", kept(table, "i8", "u32", "text", "day", "ms", "us"), version="1.0")
save("int96", kept(table, "ns"), use_deprecated_int96_timestamps=True)
save("int96-plain", kept(table, "ns"), use_deprecated_int96_timestamps=True, use_dictionary=False)

many = everything(220)
whole = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "day", "ms", "us", "ns"]
save("delta", kept(many, "i32", "u32", "i64", "day"), use_dictionary=False, column_encoding={name: "DELTA_BINARY_PACKED" for name in ("id", "i32", "u32", "i64", "day")}, write_batch_size=140)
save("delta-all", kept(table, *whole), use_dictionary=False, data_page_version="2.0", column_encoding={name: "DELTA_BINARY_PACKED" for name in whole})
save("delta-lengths", kept(many, "text"), use_dictionary=False, column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY"}, write_batch_size=140)
save("delta-bytes", kept(table, "text", "id128", "d38", "f16"), use_dictionary=False, column_encoding={name: "DELTA_BYTE_ARRAY" for name in ("text", "id128", "d38", "f16")})
split = ["i32", "i64", "f32", "f64", "f16", "d38", "id128", "us"]
save("split", kept(table, *split), use_dictionary=False, column_encoding={name: "BYTE_STREAM_SPLIT" for name in split})
save("rle-booleans", kept(many, "flag"), use_dictionary=False, data_page_version="2.0", column_encoding={"flag": "RLE"}, write_batch_size=140)
save("dictionary-fallback", kept(many, "text", "i16", "f64"), dictionary_pagesize_limit=200, write_batch_size=100, compression="snappy")
late = [None if i in (17, 25) else word for i, word in enumerate(texts(30))]
save("row-groups", {**kept(table, "f64"), "text": mapped(pa.string(), late)}, row_group_size=7)
save("large-batches", {"id": mapped(pa.int64(), list(range(1100))), "word": mapped(pa.string(), holes(["abcdefg"[i // 200 : i // 200 + 1] for i in range(1100)]))}, write_batch_size=1060, compression="zstd")
save("nothing-but-nulls", {"id": mapped(pa.int64(), list(range(30))), "text": mapped(pa.string(), [None] * 30), "f64": mapped(pa.float64(), [None] * 30), "flag": mapped(pa.bool_(), [None] * 30)}, data_page_version="2.0", compression="zstd")
save("empty", {name: (kind, [], []) for name, (kind, _, _) in table.items()})
enumerated = pa.dictionary(pa.int32(), pa.string())
save("categories", {"id": mapped(pa.int64(), list(range(20))), "kind": (enumerated, ["xyz"[i % 3] for i in range(20)], ["xyz"[i % 3] for i in range(20)])})

# What is not read.
ten = {"id": mapped(pa.int64(), list(range(10)))}
for codec in ("brotli", "lz4"):
    save("refused-" + codec, ten, compression=codec)
save("too-large", {"id": ten["id"], "u64": mapped(pa.uint64(), [1, 2, 1 << 63] + [4] * 7)})
point = pa.struct([("x", pa.float64()), ("y", pa.list_(pa.int32()))])
unread = {
    "at": (point, [{"x": 1.0, "y": [1, 2]}] * 10),
    "list": (pa.list_(pa.string()), [["a"], [], None, ["b", "c"]] * 2 + [[], []]),
    "map": (pa.map_(pa.string(), pa.int32()), [[("k", 1)]] * 10),
    "time": (pa.time64("us"), [1] * 10),
    "time32": (pa.time32("ms"), [1] * 10),
    "bytes4": (pa.binary(4), [b"abcd"] * 10),
    "nothing": (pa.null(), [None] * 10),
    "last": (pa.int32(), list(range(10))),
}
save("unread", {**ten, **{name: (kind, values, [None] * 10 if name != "last" else values) for name, (kind, values) in unread.items()}})


class Keys(encryption.KmsClient):
    def __init__(self, _):
        encryption.KmsClient.__init__(self)

    def wrap_key(self, key, _):
        return base64.b64encode(key)

    def unwrap_key(self, key, _):
        return base64.b64decode(key)


for name, plain in (("encrypted", False), ("encrypted-columns", True)):
    factory = encryption.CryptoFactory(Keys)
    settings = encryption.EncryptionConfiguration(footer_key="f", column_keys={"c": ["id"]}, plaintext_footer=plain)
    keys = factory.file_encryption_properties(encryption.KmsConnectionConfig(), settings)
    with pq.ParquetWriter(os.path.join(folder, name + ".parquet"), pa.schema([("id", pa.int64())]), encryption_properties=keys, store_schema=False) as writer:
        writer.write_table(pa.table({"id": list(range(10))}))
