"""Runs statements in a ClickHouse of its own: [statement, …] to the rows of each."""

import json
import sys

from chdb.session import Session

session = Session()
answers = []
for statement in json.load(sys.stdin):
    rows = str(session.query(statement, "JSONEachRow"))
    answers.append([json.loads(row) for row in rows.splitlines() if row])
json.dump(answers, sys.stdout)
