"""Runs a program of Vector's language on events: {"program": text, "events": [event, …]} to the events that remain."""

import json
import sys

from vrl_python import VRLRuntime

request = json.load(sys.stdin)
diagnostic = VRLRuntime.check_syntax(request["program"])
if diagnostic is not None:
    sys.exit(diagnostic.formatted_message)
# The encoder of the language itself, as Vector's sinks use it: Python's would not know its timestamps.
program = request["program"] + '\n. = {"json": encode_json(.)}'
runtime = VRLRuntime("UTC")
# It is kept, and found again by its text.
runtime.compile(program)
remaining = []
for event in request["events"]:
    try:
        remaining.append(json.loads(runtime.execute(program, event).processed_event["json"]))
    except RuntimeError as error:
        # `abort` leaves an event out.
        if "aborted" not in str(error):
            raise
json.dump(remaining, sys.stdout)
