"""An S3 endpoint for tests on loopback: `python moto_server.py PORT`. Ends when its standard input does.

Objects with the metadata `age` look older by as many seconds: S3 lets nobody set the time of an object, and the store keeps
what is young.
"""

import datetime
import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeKey
from werkzeug.serving import run_simple


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


def last_modified(key):
    age = next((v for k, v in key.metadata.items() if k.lower().endswith("age")), 0)
    return key.__dict__["last_modified"] - datetime.timedelta(seconds=int(age))


def set_last_modified(key, at):
    key.__dict__["last_modified"] = at


FakeKey.last_modified = property(last_modified, set_last_modified)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
threading.Thread(target=end_with_parent, daemon=True).start()
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=True)
