"""Reads a file with SuricataLog, a reader of Suricata's EVE: a path to what it finds there."""

import json
import sys
from datetime import UTC, datetime

from suricatalog.filter import AlwaysTrueFilter, OnlyAlertsFilter, TimestampFilter
from suricatalog.log import EveLogHandler
from suricatalog.time import parse_timestamp

path = json.load(sys.stdin)
handler = EveLogHandler()
long_ago = datetime(2000, 1, 1, tzinfo=UTC)


def read(data_filter):
    return list(handler.get_events(eve_files=[path], data_filter=data_filter))


alerts, timed = OnlyAlertsFilter(), TimestampFilter()
alerts.timestamp = timed.timestamp = long_ago
events = read(AlwaysTrueFilter())
json.dump(
    {
        "events": events,
        "alerts": read(alerts),
        "timed": len(read(timed)),
        "times": [parse_timestamp(event["timestamp"]).timestamp() for event in events],
    },
    sys.stdout,
)
