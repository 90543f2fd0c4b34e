/* Between fork and exec only calls that are safe after the fork of a threaded process. */
#include "harness/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The protocol's first descriptor. */
#define LISTEN_FD 3

static void write_own_pid(char *digits)
{
    int length = 0;
    long pid = getpid();
    for (long rest = pid; rest > 0; rest /= 10)
        length++;
    digits[length] = '\0';
    for (; pid > 0; pid /= 10)
        digits[--length] = (char)('0' + pid % 10);
}

static void hand_over_socket(const struct harness_child *child)
{
    /* dup2 clears close-on-exec, unless both are the same. */
    if (child->listen_fd == LISTEN_FD)
        fcntl(LISTEN_FD, F_SETFD, 0);
    else
        dup2(child->listen_fd, LISTEN_FD);
    write_own_pid(child->listen_pid);
}

_Noreturn static void run(const struct harness_child *child, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, child->end_signal);
    if (getppid() != parent)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(child->output, STDOUT_FILENO);
    if (child->both_streams)
        dup2(child->output, STDERR_FILENO);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    if (child->listen_pid)
        hand_over_socket(child);
    if (child->folder && chdir(child->folder) != 0)
        _exit(126);
    execve(child->binary, child->arguments, child->environment);
    _exit(127);
}

pid_t harness_child_start(const struct harness_child *child)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        run(child, parent);
    return pid;
}

int harness_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
