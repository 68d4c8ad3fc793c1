// How a kind is being followed, for people and their instruments.
#include <time.h>

#include "ctrl/store/kube.h"

bool store_kube_follow(const struct store *s, enum kind kind, struct store_follow *ret_follow)
{
	const struct kube_store *k = kube_store_of(s);

	if (k == NULL || k->closing || (k->kinds & 1U << kind) == 0)
		return false;
	const struct kube_reflector *r = &k->reflectors[kind];
	uint64_t age_s = (uv_now(k->loop) - r->last_news) / 1000;
	*ret_follow = (struct store_follow){
		.connected = r->phase == PHASE_WATCH && r->transfer != NULL &&
			     kube_is_answered(r->transfer),
		.n_lists = r->n_lists,
		.last_news = r->last_news != 0 ? time(NULL) - (time_t)age_s : 0,
	};
	return true;
}
