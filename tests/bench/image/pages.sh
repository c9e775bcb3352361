#!/bin/sh
# The pages below /cgi-bin, by their name.
#
#   env             the environment of the container, NAME=VALUE a line
#   health          200, or 503 once /cgi-bin/sick was asked for, until /cgi-bin/well
#   hang            from then on nothing is answered, and the port stays open
#   quit?CODE       the container leaves with CODE a moment after this was answered
#   slow?SECONDS    answers after a while
page=${0##*/}
answering=$PPID

# Wait until this page was sent: who sends it ends then, and takes nobody else.
answered() {
    while kill -0 "$answering"; do sleep 0.05; done
    sleep 0.5 # on its way it passes others, who may be slow
}

hang() {
    answered
    until [ -s /tmp/httpd ]; do sleep 0.05; done
    kill -STOP "$(cat /tmp/httpd)"
}

status="200 OK"

case $page in
health)
    [ -e /tmp/sick ] && status="503 Service Unavailable"
    if [ -e /tmp/hangs ]; then (hang) >/dev/null 2>&1 & fi
    ;;
sick) : >/tmp/sick ;;
well) rm -f /tmp/sick ;;
hang) (hang) >/dev/null 2>&1 & ;;
quit) (answered && echo "$QUERY_STRING" >/tmp/door) >/dev/null 2>&1 & ;;
slow) sleep "$QUERY_STRING" ;;
esac

if [ "$page" = env ]; then body=$(env); else body=$page; fi
# workerd waits for ever for the end of an answer that does not tell its length.
printf 'Status: %s\r\nContent-Type: text/plain\r\nContent-Length: %s\r\n\r\n%s\n' \
    "$status" $(($(printf %s "$body" | wc -c) + 1)) "$body"
