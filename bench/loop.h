// Ports that feed each other: what one sends, its peer receives again, as fresh frames of a scene. One
// worker has all of them, and goes round without anybody's help.
#pragma once

#include "bench/scene.h"
#include "pmd/port.h"

#define LOOP_FRAMES_MAX 1024

// Opens a port that is at rest. NULL without memory.
struct port *loop_open(struct rte_mempool *pool);

// Control: what `to` sends, `from` receives from now on, as frames of the scene; n of them are under
// way at any time. Both ports are at rest.
void loop_start(struct port *from, struct port *to, const struct scene *s, uint32_t n);
// Control: `from` takes its frames back, which a worker needs a moment for, and is at rest then.
void loop_stop(struct port *from);
// How many frames are under way; of a port at rest: how many never came back.
uint32_t loop_under_way(const struct port *from);
