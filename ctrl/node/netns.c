// Work inside a network namespace, and the settings of devices that only files and ioctl offer.
#include "ctrl/node/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

struct visit {
	int netns_fd;
	int (*f)(void *arg);
	void *arg;
	int ret;
};

static void *visit(void *arg)
{
	struct visit *v = arg;

	v->ret = setns(v->netns_fd, CLONE_NEWNET) < 0 ? -errno : v->f(v->arg);
	return NULL;
}

int netns_run(int netns_fd, int (*f)(void *arg), void *arg)
{
	struct visit v = {netns_fd, f, arg, 0};
	pthread_t thread;
	int ret;

	ret = -pthread_create(&thread, NULL, visit, &v);
	if (ret < 0)
		return ret;
	pthread_join(thread, NULL);
	return v.ret;
}

bool netns_is_gone(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return errno == ENOENT;
	return fs.f_type != NSFS_MAGIC; // the file that it was mounted on
}

int sysctl_conf(const char *family, const char *ifname, const char *key, const char *value)
{
	char path[128];
	ssize_t n;
	int fd;

	// The kernel resolves it in the namespace of the thread that opens it.
	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = write(fd, value, strlen(value));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

static int ethtool(const char *ifname, void *command)
{
	__attribute__((cleanup(fd_cleanup))) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_data = command};

	if (fd < 0)
		return -errno;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static bool leaves_work(const char *feature)
{
	return strncmp(feature, "tx-", 3) == 0 &&
	       (strncmp(feature, "tx-checksum", 11) == 0 || strncmp(feature, "tx-vlan", 7) == 0 ||
		       strncmp(feature, "tx-gso", 6) == 0 ||
		       strstr(feature, "segmentation") != NULL ||
		       strstr(feature, "fraglist") != NULL);
}

static bool merges(const char *feature)
{
	return strncmp(feature, "rx-gro", 6) == 0 || strcmp(feature, "rx-lro") == 0;
}

static void free_cleanup(void *p)
{
	free(*(void **)p);
}

static int feature_names(const char *ifname, struct ethtool_gstrings **ret_names)
{
	// The counts follow the struct, one per bit of the mask.
	uint64_t space[(sizeof(struct ethtool_sset_info) + sizeof(uint32_t)) / sizeof(uint64_t) +
		       1] = {0};
	struct ethtool_sset_info *set = (void *)space;
	struct ethtool_gstrings *names;
	int ret;

	set->cmd = ETHTOOL_GSSET_INFO;
	set->sset_mask = 1ULL << ETH_SS_FEATURES;
	ret = ethtool(ifname, set);
	if (ret < 0)
		return ret;
	names = calloc(1, sizeof(*names) + (size_t)set->data[0] * ETH_GSTRING_LEN);
	if (names == NULL)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = set->data[0];
	ret = ethtool(ifname, names);
	if (ret < 0) {
		free(names);
		return ret;
	}
	*ret_names = names;
	return 0;
}

// By name and in one request: the older commands for single features do not reach all of them.
static int features_off(const char *ifname, bool (*unwanted)(const char *feature))
{
	__attribute__((cleanup(free_cleanup))) struct ethtool_gstrings *names = NULL;
	__attribute__((cleanup(free_cleanup))) struct ethtool_gfeatures *have = NULL;
	__attribute__((cleanup(free_cleanup))) struct ethtool_sfeatures *want = NULL;
	uint32_t blocks;
	int ret;

	ret = feature_names(ifname, &names);
	if (ret < 0)
		return ret;
	blocks = (names->len + 31) / 32;
	have = calloc(1, sizeof(*have) + blocks * sizeof(have->features[0]));
	want = calloc(1, sizeof(*want) + blocks * sizeof(want->features[0]));
	if (have == NULL || want == NULL)
		return -ENOMEM;
	have->cmd = ETHTOOL_GFEATURES;
	have->size = blocks;
	ret = ethtool(ifname, have);
	if (ret < 0)
		return ret;
	want->cmd = ETHTOOL_SFEATURES;
	want->size = blocks;
	for (uint32_t i = 0; i < names->len; i++)
		if (unwanted((const char *)names->data + i * ETH_GSTRING_LEN))
			want->features[i / 32].valid |=
				have->features[i / 32].available & (1U << (i % 32));
	return ethtool(ifname, want);
}

int offloads_off(const char *ifname)
{
	return features_off(ifname, leaves_work);
}

int gro_off(const char *ifname)
{
	return features_off(ifname, merges);
}
