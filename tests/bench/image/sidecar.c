/* Stands in for the networking sidecar which workerd starts beside each container.

   It serves workerd's way in: CONNECT with "X-Dst-Addr: IP:PORT" becomes a connection
   to that port (200) or is refused (400). To "PUT /egress" and "GET /ca" it says 200,
   and does nothing: no traffic out of a container is looked at here.

   One process for each connection. gcc -O2 -static -o sidecar sidecar.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, CHUNK = 65536, INGRESS_PORT = 39001 };

static int send_all(int to, const char *bytes, size_t left)
{
    while (left > 0) {
        ssize_t sent = send(to, bytes, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        bytes += sent;
        left -= (size_t)sent;
    }
    return 0;
}

static void answer(int client, const char *status, const char *body)
{
    char text[512];
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
                          "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          status, strlen(body), body);
    send_all(client, text, (size_t)length);
}

/* Read until the empty line; what came after it is the beginning of the body. */
static char *read_head(int client, char *head, size_t *length)
{
    char *end = NULL;
    *length = 0;
    while (end == NULL && *length < HEAD_MAX) {
        ssize_t got = recv(client, head + *length, HEAD_MAX - *length, 0);
        if (got <= 0)
            return NULL;
        *length += (size_t)got;
        head[*length] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    return end == NULL ? NULL : end + 4;
}

static const char *header(const char *head, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s:", name);
    const char *found = strcasestr(head, wanted);
    if (found == NULL)
        return NULL;
    found += strlen(wanted);
    return found + strspn(found, " ");
}

static int dial(const char *address)
{
    char ip[64];
    unsigned port = 0;
    struct sockaddr_in there = {.sin_family = AF_INET};
    if (sscanf(address, "%63[0-9.]:%u", ip, &port) != 2 || port > 65535)
        return -1;
    there.sin_port = htons((unsigned short)port);
    if (inet_pton(AF_INET, ip, &there.sin_addr) != 1)
        return -1;
    int made = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(made, (struct sockaddr *)&there, sizeof there) < 0)
        return -1;
    return made;
}

/* Carry bytes both ways until both ends have said all they had to say. */
static void join(int left, int right)
{
    static char bytes[CHUNK];
    struct pollfd ends[2] = {{left, POLLIN, 0}, {right, POLLIN, 0}};
    int open_ends = 2;
    while (open_ends > 0 && poll(ends, 2, -1) > 0)
        for (int i = 0; i < 2; i++) {
            int other = i == 0 ? right : left;
            if (ends[i].fd < 0 || ends[i].revents == 0)
                continue;
            ssize_t got = recv(ends[i].fd, bytes, CHUNK, 0);
            if (got < 0 || (got > 0 && send_all(other, bytes, (size_t)got) < 0))
                return;
            if (got == 0) {
                shutdown(other, SHUT_WR);
                ends[i].fd = -1;
                open_ends--;
            }
        }
}

static void serve(int client)
{
    static char head[HEAD_MAX + 1];
    size_t length;
    const char *body = read_head(client, head, &length);
    if (body == NULL)
        return;
    size_t early = length - (size_t)(body - head);
    if (strncmp(head, "CONNECT ", 8) == 0) {
        const char *address = header(head, "X-Dst-Addr");
        int there = address == NULL ? -1 : dial(address);
        if (there < 0) {
            answer(client, "400 Bad Request", "nobody listens there");
            return;
        }
        const char *yes = "HTTP/1.1 200 OK\r\n\r\n";
        if (send_all(client, yes, strlen(yes)) == 0 &&
            send_all(there, body, early) == 0)
            join(client, there);
        return;
    }
    const char *size = header(head, "Content-Length");
    long left = size == NULL ? 0 : atol(size) - (long)early;
    char rest[4096];
    while (left > 0) {
        ssize_t got = recv(client, rest, sizeof rest, 0);
        if (got <= 0)
            break;
        left -= got;
    }
    answer(client, "200 OK", "");
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(INGRESS_PORT)};
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--http-ingress-address") == 0) {
            const char *port = strrchr(argv[i + 1], ':');
            if (port != NULL)
                here.sin_port = htons((unsigned short)atoi(port + 1));
        }
    signal(SIGCHLD, SIG_IGN); /* the kernel buries them */
    signal(SIGTERM, _exit);   /* the first process dies only of what it handles */
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&here, sizeof here) < 0 || listen(door, 512) < 0) {
        perror("listen");
        return 1;
    }
    for (;;) {
        int client = accept(door, NULL, NULL);
        if (client < 0)
            continue;
        if (fork() == 0) {
            close(door);
            serve(client);
            _exit(0);
        }
        close(client);
    }
}
