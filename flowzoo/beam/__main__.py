"""A pipeline of one command: python -m flowzoo.beam score MODEL points.csv scores.parquet --runner=DirectRunner.

Options that argparse does not know are passed on to Beam: --runner, --direct_num_workers, --project, ...
"""

import argparse
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from flowzoo.beam import BAD, Encode, Range, ReadConditions, ReadRecords, Sample, Score, WriteRecords
from flowzoo.beam.record_files import resolved, shards_among
from flowzoo.core.space import ONE


def main(arguments: list[str] | None = None) -> None:
    """Builds the pipeline, runs it, waits."""
    parser = argparse.ArgumentParser(prog="python -m flowzoo.beam", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("score", "encode", "sample"))
    files = ".csv, .parquet or .tfrecord"
    parser.add_argument("model", help="the folder of a version, as `flowzoo export` writes it")
    parser.add_argument("source", help=f"a pattern of {files} files; for sample, how many, or one file of conditions")
    parser.add_argument("out", help=".csv, .parquet, .tfrecord or .jsonl")
    parser.add_argument("--bad", default="bad.jsonl", help="where bad records go, with the reason (bad.jsonl)")
    parser.add_argument(
        "--columns", type=lambda text: text.split(","), help="of x, in this order (what the flow knows, or all)"
    )
    what = "columns of the condition, or of one of several as NAME=COLUMNS, once for each"
    parser.add_argument("--condition", action="append", default=[], metavar="[NAME=]COLUMNS", help=what)
    parser.add_argument("--seed", type=int, default=0, help="of samples (0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="of samples (1.0)")
    args, others = parser.parse_known_args(arguments)
    named = [text.rpartition("=")[::2] for text in args.condition]
    conditions = {name or ONE: columns.split(",") for name, columns in named}
    if len(conditions) < len(named):
        parser.error(f"--condition must be given once for each condition, got {', '.join(args.condition)}")
    if resolved(args.out) == resolved(args.bad):
        parser.error(f"--bad must be another file than that of the results, got {args.out!r} and {args.bad!r}")
    count = int(args.source) if args.what == "sample" and args.source.isdecimal() else None
    if count is None:
        for out in (args.out, args.bad):
            replaced = shards_among(args.source, out)
            if replaced:
                parser.error(f"{out!r} must not replace an input, got {replaced[0]!r} as one. Name another file")
    with beam.Pipeline(options=PipelineOptions(others)) as pipeline:
        if args.what == "sample":
            work = Sample(args.model, seed=args.seed, temperature=args.temperature)
            ids = ReadConditions(args.source, conditions, args.model) if count is None else Range(count)
            results, bad = pipeline | ids | work
        else:
            work = {"score": Score, "encode": Encode}[args.what](args.model)
            results, bad = pipeline | ReadRecords(args.source, args.columns, conditions, args.model) | work
        _ = results | "results" >> WriteRecords(args.out, work.COLUMNS)
        _ = bad | "bad" >> WriteRecords(args.bad, BAD)


if __name__ == "__main__":
    main(sys.argv[1:])
