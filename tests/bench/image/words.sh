#!/bin/sh
# What a container of the bench does, by the word it is started with. All answer HTTP on
# port 8080 unless it is said that they do not, and leave when /cgi-bin/quit?CODE is
# asked for.
#
#   serve [CODE]          leaves with CODE (0) on SIGTERM
#   late SECONDS          as serve, but listens only after a while
#   quit CODE [SECONDS]   leaves by itself, at once or after a while
#   linger SECONDS        takes its time to leave on SIGTERM
#   stubborn              ignores SIGTERM
#   deaf                  runs, and never listens
#   hungry [SECONDS]      takes all the memory it gets, at once or after a while
#   hangs [SECONDS]       serves for a while, or until it was asked for its health, then
#                         says nothing more; its port stays open
#   raw                   listens, and says something that is not HTTP
set -u
door=/tmp/door
word=${0##*/}

pause() {
    sleep "$1" &
    wait "$!"
}

answer() {
    mkfifo "$door"
    httpd -f -p 8080 -h /www &
    echo "$!" >/tmp/httpd
    (read -r code <"$door" && exit "$code") &
    wait "$!"
}

trap 'exit 0' TERM
case $word in
serve)
    trap "exit ${1:-0}" TERM
    answer
    ;;
late)
    pause "$1"
    answer
    ;;
quit)
    [ "${2:-0}" = 0 ] && exit "$1"
    httpd -f -p 8080 -h /www &
    pause "$2"
    exit "$1"
    ;;
linger)
    trap "sleep $1; exit 0" TERM
    answer
    ;;
stubborn)
    trap '' TERM
    answer
    ;;
deaf)
    while :; do pause 3600; done
    ;;
hungry)
    if [ "${1:-0}" != 0 ]; then
        httpd -f -p 8080 -h /www &
        pause "$1"
    fi
    exec tail /dev/zero
    ;;
hangs)
    if [ "$#" = 0 ]; then
        : >/tmp/hangs
    else
        (
            sleep "$1"
            until wget -q -O /dev/null http://127.0.0.1:8080/; do sleep 0.05; done
            kill -STOP "$(cat /tmp/httpd)"
        ) &
    fi
    answer
    ;;
raw)
    nc -ll -p 8080 -e /bin/echo "220 this is not HTTP" &
    wait "$!"
    ;;
esac
