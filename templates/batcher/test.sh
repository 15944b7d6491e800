#!/bin/sh
# Tests the batcher with curl. Run it with: devtool exec -- sh test.sh
set -eux
queue() { curl -fsS "$DEVTOOL_URL/orders" "$@"; }

queue -d '{"id": 1}'
queue -d '{"id": 2}'
devtool time advance 9999ms
queue | grep '"queued":2' # not yet
devtool time advance 1ms
queue | grep '"queued":0' # sent
