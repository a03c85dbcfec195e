/* What a response from memory costs at the least: a server of one thread that does nothing but read a request and
 * write its response at once, `GET /SIZE` (100, 10k, 1m) with that many bytes. It looks at nothing else of it.
 *
 *     bare PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LARGEST = 1000 * 1000, EVENTS = 64 };

struct connection {
    int socket;
    size_t head, body, written; /* of the response that is being written */
    char text[256];
};

static char content[LARGEST];

static void read_request(struct connection *c, char *request) {
    char *unit;
    c->body = strtoul(request + strlen("GET /"), &unit, 10);
    c->body *= *unit == 'k' ? 1000 : *unit == 'm' ? 1000 * 1000 : 1;
    if (c->body > LARGEST) c->body = LARGEST;
    c->head = sprintf(c->text, "HTTP/1.1 200 OK\r\nage: 1\r\ncache-control: max-age=3600\r\ncontent-length: %zu\r\n\r\n", c->body);
    c->written = 0;
}

/* Whether all is written. */
static int write_response(struct connection *c) {
    while (c->written < c->head + c->body) {
        size_t head = c->written < c->head ? c->head - c->written : 0;
        size_t left = c->head + c->body - c->written - head;
        struct iovec parts[] = {{c->text + c->head - head, head}, {content + c->body - left, left}};
        ssize_t more = writev(c->socket, parts, 2);
        if (more < 0) return 0;
        c->written += more;
    }
    return 1;
}

static void serve(struct connection *c) {
    char request[4096];
    while (write_response(c)) {
        ssize_t length = read(c->socket, request, sizeof request - 1);
        if (length == 0) {
            close(c->socket);
            free(c);
        }
        if (length <= 0) return;
        request[length] = 0;
        read_request(c, request);
    }
}

int main(int count, char **words) {
    if (count != 2) return 2;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), events = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 128)) return 1;
    struct epoll_event wanted = {.events = EPOLLIN}, ready[EVENTS];
    epoll_ctl(events, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        int number = epoll_wait(events, ready, EVENTS, -1);
        for (int i = 0; i < number; i++) {
            struct connection *c = ready[i].data.ptr;
            if (c) {
                serve(c);
                continue;
            }
            c = calloc(1, sizeof *c);
            c->socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            struct epoll_event its = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
            epoll_ctl(events, EPOLL_CTL_ADD, c->socket, &its);
        }
    }
}
