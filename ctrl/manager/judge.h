// The webhooks' verdicts. Pure: a review and what is known in, an answer out. Rules and words are
// hybridnet's; those of our own are marked where they are.
#pragma once

#include "ctrl/manager/facts.h"

#define LABEL_WEBHOOK_IGNORE "webhook.hybridnet.io/ignore"

// /validate: Networks, Subnets, IPInstances, NodeInfos, Pods. Anything else is allowed.
void judge_validate(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *ret_answer);
// /mutate: a new Pod's annotations and where it may be scheduled, as a JSON patch.
void judge_mutate(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *ret_answer);

// Within the verdicts: a new Pod's rules.
void judge_pod(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *a);
// What the Pod asks for. retained: IPInstances that it takes over. Also hands out, for hybridnet's
// words: the Network that was looked for in vain, and the one that was found.
struct pod_question {
	struct selection selection;
	char missing_network[NAME_MAX_LEN];
	const struct network *network;
};
bool pod_ask(const struct judge_conf *conf, const struct pod *pod, const struct facts *f,
	struct pod_question *ret, char error[SELECTION_ERROR_MAX]);
// Whether the webhooks leave the Pod alone.
bool pod_is_ignored(const struct judge_conf *conf, const struct pod *pod);
