// stratactl's end of the daemon's socket (doc/protocol.md).
#pragma once

#include <stdio.h>

#include <cjson/cJSON.h>

struct client;

// Connects, or prints what is wrong and returns NULL.
struct client *client_open(const char *socket_path);
void client_close(struct client *c); // accepts NULL

// Sends one request. 0, or -errno after saying what is wrong.
int client_send(struct client *c, const cJSON *request);
// The next line of the answer, the caller's to delete; NULL at the end, after saying why unless the daemon just ended
// the stream. An answer that is an error is printed and also gives NULL, with *ret_failed set.
cJSON *client_next(struct client *c, int *ret_failed);
