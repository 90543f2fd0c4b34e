#include "core/system_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now); /* can't fail for these two clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall_ms(const struct clock *clock)
{
    const struct system_clock *self = CONTAINER_OF(clock, const struct system_clock, clock);
    int64_t shift = self->shift_ms ? __atomic_load_n(self->shift_ms, __ATOMIC_RELAXED) : 0;
    return now_us(CLOCK_REALTIME) / 1000 + shift;
}

static int64_t monotonic_us(const struct clock *clock)
{
    (void)clock;
    return now_us(CLOCK_MONOTONIC);
}

int system_clock_init(struct system_clock *system_clock, const char *shift_path, struct err *err)
{
    *system_clock = (struct system_clock){ .clock = { wall_ms, monotonic_us } };
    if (!shift_path)
        return 0;
    int fd = open(shift_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_CONFIG, errno, "CLOCK_SHIFT_FILE %s", shift_path);
    struct stat status;
    void *memory = MAP_FAILED;
    if (fstat(fd, &status) == 0 && status.st_size >= (off_t)sizeof(int64_t))
        memory = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        return err_set(err, ERR_CONFIG, "CLOCK_SHIFT_FILE %s: not a file of 8 bytes", shift_path);
    system_clock->shift_ms = memory;
    return 0;
}

void system_clock_fini(struct system_clock *system_clock)
{
    if (system_clock->shift_ms)
        munmap((void *)system_clock->shift_ms, sizeof(int64_t));
    system_clock->shift_ms = NULL;
}
