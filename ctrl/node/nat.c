// Masquerading, as one nftables table that is replaced as a whole: a transaction either takes effect
// entirely or not at all, and nobody else's table is touched.
#include "ctrl/node/nat.h"

#include "ctrl/node/netlink.h"

#include <nftables/libnftables.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "strata"

struct family {
	const char *name; // of the table's and of the chain's expressions
	bool v4;
};

static const struct family families[] = {{"ip", true}, {"ip6", false}};

static size_t put_set(
	FILE *out, const struct family *f, const char *name, const struct cidr *list, size_t n)
{
	char text[CIDR_TEXT_MAX];
	size_t put = 0;

	// auto-merge: equal or overlapping prefixes are no error.
	fprintf(out, " set %s-%s { type %s; flags interval; auto-merge;", name, f->name,
		f->v4 ? "ipv4_addr" : "ipv6_addr");
	for (size_t i = 0; i < n; i++) {
		struct cidr network = {cidr_first(&list[i]), list[i].len};

		if (ip_is_v4(&network.ip) == f->v4)
			fprintf(out, "%s%s", put++ == 0 ? " elements = { " : ", ",
				cidr_text(&network, text));
	}
	fprintf(out, "%s }\n", put > 0 ? " };" : "");
	return put;
}

// The whole table as nftables' own language. What the kernel forwards of a pod came in by the host
// port, and only there: the mark-free way to know it in postrouting is iifname, which nftables
// has in this hook since kernel 5.6.
static void put_table(FILE *out, const char *host_ifname, const struct cidr *nat, size_t n_nat,
	const struct cidr *cluster, size_t n_cluster)
{
	bool wanted[2];

	// Adding it first makes the deletion succeed when there is none.
	fprintf(out, "table inet " TABLE " {}\ndelete table inet " TABLE "\n");
	fprintf(out, "table inet " TABLE " {\n");
	for (size_t i = 0; i < 2; i++) {
		wanted[i] = put_set(out, &families[i], "nat", nat, n_nat) > 0;
		(void)put_set(out, &families[i], "cluster", cluster, n_cluster);
	}
	fprintf(out, " chain postrouting {\n  type nat hook postrouting priority srcnat;\n");
	for (size_t i = 0; i < 2; i++)
		if (wanted[i])
			fprintf(out,
				"  iifname \"%s\" %s saddr @nat-%s %s daddr != @cluster-%s "
				"masquerade\n",
				host_ifname, families[i].name, families[i].name, families[i].name,
				families[i].name);
	fprintf(out, " }\n}\n");
}

static int run(const char *commands, char why[LINK_WHY_MAX])
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int ret = 0;

	if (nft == NULL)
		return link_fail(why, -ENOMEM, "cannot use nftables");
	(void)nft_ctx_buffer_error(nft);
	(void)nft_ctx_buffer_output(nft);
	if (nft_run_cmd_from_buffer(nft, commands) != 0) {
		const char *error = nft_ctx_get_error_buffer(nft);

		ret = link_fail(why, 0, "nftables refuses the table '" TABLE "': %.*s",
			(int)strcspn(error, "\n"), error);
		ret = -EIO;
	}
	nft_ctx_free(nft);
	return ret;
}

int nat_set(const char *host_ifname, const struct cidr *nat, size_t n_nat,
	const struct cidr *cluster, size_t n_cluster, char why[LINK_WHY_MAX])
{
	char *commands = NULL;
	size_t len = 0;
	FILE *out;
	int ret;

	out = open_memstream(&commands, &len);
	if (out == NULL)
		return link_fail(why, -errno, "cannot write the NAT table");
	put_table(out, host_ifname, nat, n_nat, cluster, n_cluster);
	if (fclose(out) != 0)
		ret = link_fail(why, -ENOMEM, "cannot write the NAT table");
	else
		ret = run(commands, why);
	free(commands);
	return ret;
}

int nat_clear(char why[LINK_WHY_MAX])
{
	return run("table inet " TABLE " {}\ndelete table inet " TABLE "\n", why);
}
