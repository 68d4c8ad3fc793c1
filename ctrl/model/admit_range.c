// The rules of a Subnet's range (hybridnet: pkg/apis/networking/v1/utils.go, ValidateAddressRange).
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/admit.h"

#define CIDR_LEN_MAX 128

bool deny(char message[ADMISSION_MESSAGE_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, ADMISSION_MESSAGE_MAX, format, ap);
	va_end(ap);
	return false;
}

bool admit_name(const struct meta *meta, char message[ADMISSION_MESSAGE_MAX])
{
	return strlen(meta->name) < LABEL_MAX_LEN ||
	       deny(message, "name %s is longer than the 63 characters of a label", meta->name);
}

static bool parses(const char *text)
{
	struct in6_addr ip;

	return text[0] == '\0' || ip_parse(text, &ip) == 0;
}

static bool admit_cidr(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	char buf[IP_TEXT_MAX];
	struct cidr cidr;

	if (cidr_parse(s->range.cidr_text, &cidr) < 0)
		return deny(message, "invalid range CIDR %s", s->range.cidr_text);

	struct in6_addr first = cidr_first(&cidr);
	if (ip_cmp(&first, &cidr.ip) != 0) {
		char given[IP_TEXT_MAX];

		return deny(message,
			"CIDR notation is not standard, should start from %s but from %s",
			ip_text(&first, buf), ip_text(&cidr.ip, given));
	}
	if (cidr.len == CIDR_LEN_MAX)
		return deny(message, "types of /32 or /128 cidrs is not supported");
	return true;
}

bool admit_order(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	char start_buf[IP_TEXT_MAX], end_buf[IP_TEXT_MAX];
	struct in6_addr start, end;

	subnet_bounds(s, &start, &end);
	return ip_cmp(&start, &end) <= 0 ||
	       deny(message, "subnet should have at least one available IP. start=%s, end=%s",
		       ip_text(&start, start_buf), ip_text(&end, end_buf));
}

static bool admit_bounds(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	const struct cidr *cidr = &s->range.cidr;

	if (s->range.has_start && !cidr_contains(cidr, &s->range.start))
		return deny(message, "start %s is not in CIDR %s", s->range.start_text,
			s->range.cidr_text);
	if (s->range.has_end && !cidr_contains(cidr, &s->range.end))
		return deny(
			message, "end %s is not in CIDR %s", s->range.end_text, s->range.cidr_text);

	// Defaults are left to creation, which has a word of its own for prefixes that are too long.
	return !s->range.has_start || !s->range.has_end || admit_order(s, message);
}

static bool admit_gateway(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	bool v4 = strcmp(s->range.version, "4") == 0;

	if (s->range.gateway_text[0] == '\0')
		return true;
	if (!s->range.has_gateway)
		return deny(message, "invalid range gateway %s", s->range.gateway_text);
	if (ip_is_v4(&s->range.gateway) != v4)
		return deny(message, "address families of ip version and gateway mismatch");
	if (!cidr_contains(&s->range.cidr, &s->range.gateway))
		return deny(message, "gateway %s is not in CIDR %s", s->range.gateway_text,
			s->range.cidr_text);
	return true;
}

static bool admit_list(const struct subnet_obj *s, const char *what, const struct in6_addr *ips,
	size_t n, const char *bad, char message[ADMISSION_MESSAGE_MAX])
{
	char buf[IP_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!cidr_contains(&s->range.cidr, &ips[i]))
			return deny(message, "%s ip %s is not in CIDR %s", what,
				ip_text(&ips[i], buf), s->range.cidr_text);
	}
	return bad == NULL || deny(message, "invalid %s ip %s", what, bad);
}

bool admit_range(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	bool v4 = strcmp(s->range.version, "4") == 0;

	if (!v4 && strcmp(s->range.version, "6") != 0)
		return deny(message, "unsupported IP Version %s", s->range.version);
	if (!parses(s->range.start_text))
		return deny(message, "invalid range start %s", s->range.start_text);
	if (!parses(s->range.end_text))
		return deny(message, "invalid range end %s", s->range.end_text);
	if (!admit_cidr(s, message) || !admit_bounds(s, message) || !admit_gateway(s, message))
		return false;
	if (ip_is_v4(&s->range.cidr.ip) != v4)
		return deny(message, "address families of ip version and CIDR mismatch");
	return admit_list(s, "reserved", s->range.reserved, s->range.n_reserved,
		       s->range.has_bad_reserved ? s->range.bad_reserved : NULL, message) &&
	       admit_list(s, "excluded", s->range.excluded, s->range.n_excluded,
		       s->range.has_bad_excluded ? s->range.bad_excluded : NULL, message);
}

// ── Two ranges ─────────────────────────────────────────────────────────────────────────────────

static int by_number(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

// Sorts ips and drops what is there twice; returns how many are left.
static size_t sort_unique(struct in6_addr *ips, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(ips, n, sizeof(*ips), by_number);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || ip_cmp(&ips[kept - 1], &ips[i]) != 0)
			ips[kept++] = ips[i];
	}
	return kept;
}

// Appends those of ips that are in first … last.
static size_t append_within(struct in6_addr *set, size_t n, const struct in6_addr *ips,
	size_t n_ips, const struct in6_addr bounds[2])
{
	for (size_t i = 0; i < n_ips; i++) {
		if (ip_cmp(&ips[i], &bounds[0]) >= 0 && ip_cmp(&ips[i], &bounds[1]) <= 0)
			set[n++] = ips[i];
	}
	return n;
}

// Whether n different addresses from bounds[0] to bounds[1] are all there are.
static bool is_filled(size_t n, const struct in6_addr bounds[2])
{
	struct in6_addr last;

	return n > 0 && ip_add(&bounds[0], (int64_t)n - 1, &last) && ip_cmp(&last, &bounds[1]) == 0;
}

static size_t sorted_copy(struct in6_addr *set, const struct in6_addr *ips, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set[i] = ips[i];
	return sort_unique(set, n);
}

bool ranges_exclude_same(const struct subnet_obj *a, const struct subnet_obj *b)
{
	size_t n_a = a->range.n_excluded, n_b = b->range.n_excluded;
	struct in6_addr *set = calloc(n_a + n_b + 1, sizeof(*set));

	if (set == NULL)
		return false;
	n_a = sorted_copy(set, a->range.excluded, n_a);
	n_b = sorted_copy(set + n_a, b->range.excluded, n_b);
	bool same = n_a == n_b && memcmp(set, set + n_a, n_a * sizeof(*set)) == 0;
	free(set);
	return same;
}

bool subnets_overlap(const struct subnet_obj *a, const struct subnet_obj *b)
{
	const struct subnet_obj *const both[2] = {a, b};
	struct in6_addr start[2], end[2], bounds[2];
	size_t n = 0;

	subnet_bounds(a, &start[0], &end[0]);
	subnet_bounds(b, &start[1], &end[1]);
	bounds[0] = ip_cmp(&start[0], &start[1]) > 0 ? start[0] : start[1];
	bounds[1] = ip_cmp(&end[0], &end[1]) < 0 ? end[0] : end[1];
	if (ip_cmp(&bounds[0], &bounds[1]) > 0)
		return false;

	// They share the addresses in between, unless one of the two withholds every one of them.
	struct in6_addr *withheld =
		calloc(a->range.n_excluded + b->range.n_excluded + 2, sizeof(*withheld));
	if (withheld == NULL)
		return true;
	for (size_t i = 0; i < 2; i++) {
		const struct subnet_obj *s = both[i];
		n = append_within(withheld, n, s->range.excluded, s->range.n_excluded, bounds);
		n = append_within(withheld, n, &s->range.gateway, s->range.has_gateway, bounds);
	}
	n = sort_unique(withheld, n);
	bool filled = is_filled(n, bounds);
	free(withheld);
	return !filled;
}
