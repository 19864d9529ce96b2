#!/usr/bin/env python3
"""Makes files as people have them, and what an independent reader (pandas) finds in them: generated.ndjson.gz, beside this script.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pandas==3.1.1 && /tmp/v/bin/python make.py

One object a line: the file's name and bytes (base64), what its owner says of it (missing markers, decimal point,
thousands, encoding), whether it is well formed, and of each column its name, kind and cells (null, or text that says the
value). The same seed makes the same files.
"""

import base64
import gzip
import io
import json
import math
import pathlib
import random

import pandas

COUNT = 1000
WORDS = ["east", "west", "Zürich", "naïve", "a b", "O'Neil", "x-1", "50 %", "#1", "Ærø", "=1+1", "señor", "-"]
MARKERS = ["NA", "N/A", ".", "-9", "NULL", "999"]
NAMES = ["id", "age", "net income", "Größe", "q1_a", "date", "select", "A", "x.y", "é", "ward (old)", "c-1", "total%"]


def number(rng, decimal, thousands):
    """A real as written, in the file's form."""
    value = rng.choice(
        [rng.randint(-50, 50), rng.uniform(-1, 1), rng.uniform(-1e6, 1e6), rng.randint(0, 10**9), rng.uniform(0, 1e-4)])
    text = repr(value) if rng.random() < 0.5 else f"{value:.{rng.randint(0, 6)}f}"
    if "e" in text:
        return text.replace(".", decimal)
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("-").partition(".")
    if thousands and rng.random() < 0.7:
        groups = []
        while len(whole) > 3:
            groups.insert(0, whole[-3:])
            whole = whole[:-3]
        whole = thousands.join([whole] + groups)
    return sign + whole + (decimal + fraction if fraction else "")


def cell(rng, kind, form):
    if kind == "integer":
        return str(rng.choice([rng.randint(-5, 120), rng.randint(-(10**12), 10**12), 0]))
    if kind == "real":
        return number(rng, form["decimal"], form["thousands"])
    if kind == "code":
        return f"{rng.randint(0, 9999):04d}"
    if kind == "text":
        text = rng.choice(WORDS)
        if rng.random() < 0.15:
            text += rng.choice([",", ";", '"', "\n", "|", "\t", " tail", ""])
        return text
    if kind == "boolean":
        return rng.choice(form["booleans"])
    day = pandas.Timestamp("1900-01-01") + pandas.Timedelta(days=rng.randint(0, 60000))
    if kind == "date":
        return day.strftime(form["date"])
    moment = day + pandas.Timedelta(seconds=rng.randint(0, 86399))
    return moment.strftime(form["timestamp"])


def quoted(text, delimiter, quoting, rng):
    needs = any(c in text for c in (delimiter, '"', "\n", "\r")) or text != text.strip()
    if quoting == "all" or needs or (quoting == "some" and rng.random() < 0.3):
        return '"' + text.replace('"', '""') + '"'
    return text


def generate(rng, index):
    delimiter, extension = rng.choice([(",", "csv"), (",", "csv"), (";", "csv"), ("\t", "tsv"), ("\t", "txt"), ("|", "csv")])
    decimal = "," if delimiter == ";" and rng.random() < 0.6 else "."
    thousands = rng.choice([None, None, None, "'" if decimal == "." else "."])
    form = {
        "decimal": decimal,
        "thousands": thousands,
        "booleans": rng.choice([["true", "false"], ["TRUE", "FALSE"], ["yes", "no"], ["t", "f"]]),
        "date": rng.choice(["%Y-%m-%d", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"]),
        "timestamp": rng.choice(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S+02:00"]),
    }
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "windows-1252"])
    end = rng.choice(["\n", "\n", "\r\n", "\r"])
    quoting = rng.choice(["needed", "needed", "some", "all"])
    markers = rng.sample(MARKERS, rng.choice([0, 0, 1, 2]))
    kinds = [rng.choice(["integer", "real", "text", "text", "code", "boolean", "date", "timestamp"]) for _ in range(rng.randint(2, 6))]
    names = rng.sample(NAMES, len(kinds))
    if rng.random() < 0.08:
        names[0] = names[0] + "\nunit"
    rows = []
    for _ in range(rng.randint(1, 12)):
        row = []
        for kind in kinds:
            if markers and rng.random() < 0.1:
                row.append(rng.choice(markers))
            elif rng.random() < 0.1:
                row.append("")
            else:
                row.append(cell(rng, kind, form))
        rows.append(row)
    # One line break inside cells, of the file's own kind, so that the reader can know it.
    rows = [[text.replace("\n", "\n" if end != "\r" else " ") for text in row] for row in rows]
    names = [name if end != "\r" else name.replace("\n", " ") for name in names]
    has_index = rng.random() < 0.08
    lines = [[""] * has_index + names] + [[str(i)] * has_index + row for i, row in enumerate(rows)]
    text = end.join(delimiter.join(quoted(c, delimiter, quoting, rng) for c in line) for line in lines)
    if rng.random() < 0.8:
        text += end
    data = text.encode(encoding)
    record = {
        "name": f"t{index}.{extension}",
        "bytes": data,
        "missing": markers,
        "decimal": decimal if decimal != "." else None,
        "thousands": thousands,
        "encoding": "windows-1252" if encoding == "windows-1252" else None,
        "wellFormed": True,
    }
    read = dict(
        sep=delimiter, encoding=encoding, keep_default_na=False, na_values=markers + [""], skip_blank_lines=True,
        index_col=0 if has_index else False)
    plain = pandas.read_csv(io.BytesIO(data), dtype=str, **read)
    typed = pandas.read_csv(
        io.BytesIO(data), decimal=decimal, thousands=thousands, **read)
    record["columns"] = [
        {"name": name, "kind": kind, "cells": cells(plain[name], typed[name], kind, markers, form)}
        for name, kind in zip(plain.columns, kinds)
    ]
    return record


def read_number(raw, value, form):
    """Python's own reading, which is exact; pandas 3.1 is off by a unit in the last place where digits are many."""
    plain = raw.replace(form["thousands"] or "\0", "").replace(form["decimal"], ".")
    exact = float(plain)
    assert abs(exact - float(value)) <= 4 * math.ulp(exact), (raw, value)
    return str(int(plain)) if plain.lstrip("-").isdigit() else repr(exact)


def cells(plain, typed, kind, markers, form):
    """Each cell's value as text, or null."""
    found = []
    for raw, value in zip(plain, typed):
        if pandas.isna(raw):
            found.append(None)
        elif kind in ("integer", "real") and pandas.api.types.is_numeric_dtype(typed.dtype):
            found.append(None if pandas.isna(value) else read_number(raw, value, form))
        elif kind == "timestamp":
            found.append(pandas.to_datetime(raw, utc=True).strftime("%Y-%m-%dT%H:%M:%SZ"))
        elif kind == "boolean":
            found.append("true" if raw.lower() in ("true", "yes", "t") else "false")
        else:
            found.append(raw)
    return found


def damage(rng, record):
    """The same file, with something wrong in it."""
    data = record["bytes"]
    how = rng.choice(["cut", "quote", "field", "byte"])
    place = rng.randrange(len(data) // 2, len(data))
    if how == "cut":
        data = data[:place]
    elif how == "quote":
        data = data[:place] + b'"' + data[place:]
    elif how == "field":
        data = data[:place] + b",;\t|" + data[place:]
    else:
        data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1:]
    return {**record, "bytes": data, "wellFormed": False, "columns": []}


def main():
    rng = random.Random(20261128)
    records = []
    while len(records) < COUNT:
        try:
            record = generate(rng, len(records))
        except (UnicodeEncodeError, pandas.errors.ParserError, ValueError):
            # A word that the encoding has not.
            continue
        records.append(record if len(records) % 10 else damage(rng, record))
    lines = [json.dumps({**r, "bytes": base64.b64encode(r["bytes"]).decode()}, ensure_ascii=False) for r in records]
    target = pathlib.Path(__file__).with_name("generated.ndjson.gz")
    with open(target, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as out:
        out.write(("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
