"""The same 40 labelled texts as Parquet files of many kinds, written by pyarrow, and as lines packed by the zstd program
-> packed_files.json (base64). Run: python3 make_packed_files.py > packed_files.json. Needs pyarrow 26 and zstd 1.5."""

import base64
import io
import json
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq

N = 40
rows = [
    {
        "uid": f"u{i:02d}",
        "text": f"größe {i % 7} 丽 \"quoted\",\n{'x' * (i % 5)}",
        "label": i % 3,
        "score": i / 4,
        "long": 12345678901234567890123 % 10**18 + i,
        "flag": i % 2 == 0,
        "maybe": None if i % 4 == 0 else f"m{i}",
        "tags": [f"t{i}", "z"],
    }
    for i in range(N)
]
schema = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        ("text", pa.string()),
        ("label", pa.int64()),
        ("score", pa.float64()),
        ("long", pa.int64()),
        ("flag", pa.bool_()),
        ("maybe", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)
table = pa.Table.from_pylist(rows, schema=schema)


def parquet(**options) -> str:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return base64.b64encode(out.getvalue()).decode()


plain = {"use_dictionary": False}
delta = {
    "use_dictionary": False,
    "column_encoding": {"uid": "DELTA_BYTE_ARRAY", "text": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_BINARY_PACKED", "long": "DELTA_BINARY_PACKED"},
}
small = {"row_group_size": 7, "data_page_size": 64, "write_batch_size": 3}
lines = "".join(json.dumps({key: row[key] for key in ("uid", "text", "label")}) + "\n" for row in rows).encode()


def zstd(*options: str) -> str:
    return base64.b64encode(subprocess.run(["zstd", "-c", "-q", *options], input=lines, capture_output=True, check=True).stdout).decode()


print(
    json.dumps(
        {
            "rows": rows,
            "parquet": {
                "snappy": parquet(),
                "none": parquet(compression="none"),
                "gzip": parquet(compression="gzip", **plain),
                "brotli": parquet(compression="brotli"),
                "zstd": parquet(compression="zstd"),
                "page_v2": parquet(data_page_version="2.0", compression="zstd"),
                "page_v2_plain": parquet(data_page_version="2.0", **plain),
                "delta": parquet(compression="none", **delta),
                "small_groups": parquet(**small),
                "version_1": parquet(version="1.0", store_schema=False),
            },
            "lz4_parquet": parquet(compression="lz4"),
            "lines": lines.decode(),
            "zstd_lines": {"checksum": zstd(), "no_checksum": zstd("--no-check"), "streamed": zstd("--no-content-size", "-19")},
        }
    )
)
