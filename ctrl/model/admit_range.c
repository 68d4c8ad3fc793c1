// The rules of a Subnet's range (hybridnet: pkg/apis/networking/v1/utils.go, ValidateAddressRange).
#include <stdarg.h>
#include <stdio.h>
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

static bool admit_bounds(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	const struct cidr *cidr = &s->range.cidr;

	if (s->range.has_start && !cidr_contains(cidr, &s->range.start))
		return deny(message, "start %s is not in CIDR %s", s->range.start_text,
			s->range.cidr_text);
	if (s->range.has_end && !cidr_contains(cidr, &s->range.end))
		return deny(
			message, "end %s is not in CIDR %s", s->range.end_text, s->range.cidr_text);

	struct in6_addr start, end;
	subnet_bounds(s, &start, &end);
	if (ip_cmp(&start, &end) > 0) {
		char start_buf[IP_TEXT_MAX], end_buf[IP_TEXT_MAX];

		return deny(message,
			"subnet should have at least one available IP. start=%s, end=%s",
			ip_text(&start, start_buf), ip_text(&end, end_buf));
	}
	return true;
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
	size_t n, char message[ADMISSION_MESSAGE_MAX])
{
	char buf[IP_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!cidr_contains(&s->range.cidr, &ips[i]))
			return deny(message, "%s ip %s is not in CIDR %s", what,
				ip_text(&ips[i], buf), s->range.cidr_text);
	}
	return true;
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
	return admit_list(s, "reserved", s->range.reserved, s->range.n_reserved, message) &&
	       admit_list(s, "excluded", s->range.excluded, s->range.n_excluded, message);
}

// Whether s could allocate ip: within its bounds, not its gateway, not excluded.
static bool allocatable(const struct subnet_obj *s, const struct in6_addr *ip)
{
	struct in6_addr start, end;

	subnet_bounds(s, &start, &end);
	if (ip_cmp(ip, &start) < 0 || ip_cmp(ip, &end) > 0)
		return false;
	if (s->range.has_gateway && ip_cmp(ip, &s->range.gateway) == 0)
		return false;
	for (size_t i = 0; i < s->range.n_excluded; i++) {
		if (ip_cmp(ip, &s->range.excluded[i]) == 0)
			return false;
	}
	return true;
}

bool subnets_overlap(const struct subnet_obj *a, const struct subnet_obj *b)
{
	struct in6_addr a_start, a_end, b_start, b_end, ip;

	subnet_bounds(a, &a_start, &a_end);
	subnet_bounds(b, &b_start, &b_end);
	ip = ip_cmp(&a_start, &b_start) > 0 ? a_start : b_start;
	const struct in6_addr *last = ip_cmp(&a_end, &b_end) < 0 ? &a_end : &b_end;

	// Addresses that are taken out of the range are few: beyond them the first common one is found.
	while (ip_cmp(&ip, last) <= 0) {
		if (allocatable(a, &ip) && allocatable(b, &ip))
			return true;
		if (!ip_add(&ip, 1, &ip))
			break;
	}
	return false;
}
