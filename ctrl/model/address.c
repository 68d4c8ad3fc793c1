// Addresses, prefixes and MACs: text to bytes and back, and arithmetic on 128 bits. IPv4
// addresses are IPv4-mapped throughout, so that one order and one arithmetic serve both families.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/object.h"

#define V4_PREFIX_LEN 96 // bits in front of an IPv4-mapped address

int ip_parse(const char *text, struct in6_addr *ret_ip)
{
	struct in_addr v4;
	struct in6_addr ip;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memset(&ip, 0, sizeof(ip));
		ip.s6_addr[10] = ip.s6_addr[11] = 0xff;
		memcpy(&ip.s6_addr[12], &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, text, &ip) != 1) {
		return -EINVAL;
	}
	*ret_ip = ip;
	return 0;
}

const char *ip_text(const struct in6_addr *ip, char buf[IP_TEXT_MAX])
{
	if (ip_is_v4(ip))
		return inet_ntop(AF_INET, &ip->s6_addr[12], buf, IP_TEXT_MAX);
	return inet_ntop(AF_INET6, ip, buf, IP_TEXT_MAX);
}

int ip_cmp(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

bool ip_add(const struct in6_addr *ip, int64_t n, struct in6_addr *ret_ip)
{
	struct in6_addr sum = *ip;
	int first = ip_is_v4(ip) ? 12 : 0;
	__int128 carry = n;

	for (int i = 15; i >= first && carry != 0; i--) {
		carry += sum.s6_addr[i];
		sum.s6_addr[i] = (uint8_t)(carry & 0xff);
		carry >>= 8; // arithmetic: keeps the sign
	}
	if (carry != 0)
		return false;
	*ret_ip = sum;
	return true;
}

int cidr_parse(const char *text, struct cidr *ret_cidr)
{
	char ip[IP_TEXT_MAX];
	const char *slash = strchr(text, '/');
	struct cidr cidr;
	char *end;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(ip))
		return -EINVAL;
	(void)snprintf(ip, sizeof(ip), "%.*s", (int)(slash - text), text);
	if (ip_parse(ip, &cidr.ip) < 0)
		return -EINVAL;

	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	unsigned long len = strtoul(slash + 1, &end, 10);
	bool v4 = strchr(ip, ':') == NULL;
	if (*end != '\0' || len > (v4 ? 32 : 128))
		return -EINVAL;
	cidr.len = (uint8_t)(len + (v4 ? V4_PREFIX_LEN : 0));
	// "::ffff:10.0.0.1/64" has no form as an IPv4 prefix.
	if (ip_is_v4(&cidr.ip) && cidr.len < V4_PREFIX_LEN)
		return -EINVAL;
	*ret_cidr = cidr;
	return 0;
}

const char *cidr_text(const struct cidr *cidr, char buf[CIDR_TEXT_MAX])
{
	char ip[IP_TEXT_MAX];
	int len = cidr->len - (ip_is_v4(&cidr->ip) ? V4_PREFIX_LEN : 0);

	(void)snprintf(buf, CIDR_TEXT_MAX, "%s/%d", ip_text(&cidr->ip, ip), len);
	return buf;
}

// The byte of a mask of len bits.
static uint8_t mask_byte(uint8_t len, int i)
{
	int bits = len - i * 8;

	return (uint8_t)(bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff << (8 - bits));
}

bool cidr_contains(const struct cidr *cidr, const struct in6_addr *ip)
{
	for (int i = 0; i < 16; i++) {
		if ((cidr->ip.s6_addr[i] ^ ip->s6_addr[i]) & mask_byte(cidr->len, i))
			return false;
	}
	return true;
}

struct in6_addr cidr_first(const struct cidr *cidr)
{
	struct in6_addr ip = cidr->ip;

	for (int i = 0; i < 16; i++)
		ip.s6_addr[i] &= mask_byte(cidr->len, i);
	return ip;
}

struct in6_addr cidr_last(const struct cidr *cidr)
{
	struct in6_addr ip = cidr->ip;

	for (int i = 0; i < 16; i++)
		ip.s6_addr[i] |= (uint8_t)~mask_byte(cidr->len, i);
	return ip;
}

// Hexadecimal digits in groups of `each`, with the separator between groups.
static bool parse_mac_groups(const char *text, int each, char separator, uint8_t ret_mac[6])
{
	size_t pos = 0;

	for (int i = 0; i < 6; i++) {
		char pair[3] = {text[pos], text[pos] != '\0' ? text[pos + 1] : '\0', '\0'};

		if (strspn(pair, "0123456789abcdefABCDEF") != 2)
			return false;
		ret_mac[i] = (uint8_t)strtoul(pair, NULL, 16);
		pos += 2;
		if (i < 5 && 2 * (i + 1) % each == 0 && text[pos++] != separator)
			return false;
	}
	return text[pos] == '\0';
}

int mac_parse(const char *text, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	if (!parse_mac_groups(text, 2, ':', mac) && !parse_mac_groups(text, 2, '-', mac) &&
		!parse_mac_groups(text, 4, '.', mac))
		return -EINVAL;
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

const char *mac_text(const uint8_t mac[6], char buf[MAC_TEXT_MAX])
{
	(void)snprintf(buf, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return buf;
}
