"""Read an entity of a folder lake with Spark as its model.json says, and print the rows as JSON, in the order of ids.

Run by the interpreter of an environment with pyspark: spark_reader.py MODEL ENTITY
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.types import StringType, StructField, StructType


def main(model: str, name: str) -> None:
    entity = next(each for each in json.loads(Path(model).read_text())["entities"] if each["name"] == name)
    schema = StructType([StructField(attribute["name"], StringType()) for attribute in entity["attributes"]])
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    files = [partition["location"] for partition in entity["partitions"]]
    # Values may hold line feeds and doubled quotes; nothing between commas is null, "" is an empty text.
    rows = spark.read.csv(files, schema=schema, header=False, multiLine=True, quote='"', escape='"', lineSep="\n")
    print(json.dumps([row.asDict() for row in rows.orderBy("Id").collect()]))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
