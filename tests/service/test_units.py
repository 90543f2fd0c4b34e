#!/usr/bin/env python3
"""The unit files of systemd/: accepted by systemd, tight enough, and of one mind with nginx/ and docs/.

test_units.py SYSTEMD_FOLDER NGINX_FOLDER BRONXBOT; exits with 77 (skipped) without systemd-analyze."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

# On systemd's scale of 0 to 10, times ten as --threshold takes it.
EXPOSURE_MAX = 12
SKIPPED = 77
SERVICES = ("bronxbot.service", "bronxbot@.service", "bronxbot-worker.service")


def analyze(*arguments):
    result = subprocess.run(["systemd-analyze", "--no-pager", *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout


def values(unit, key):
    """All values given to `key`, in order."""
    prefix = key + "="
    return [line[len(prefix):] for line in unit.splitlines() if line.startswith(prefix)]


def units_are_accepted(folder, binary):
    with tempfile.TemporaryDirectory() as copy:
        for unit in folder.glob("bronxbot*.s*"):
            text = unit.read_text().replace("/usr/local/bin/bronxbot", binary)
            (pathlib.Path(copy) / unit.name).write_text(text)
        code, output = analyze("verify", *map(str, sorted(pathlib.Path(copy).iterdir())))
    complaints = [line for line in output.splitlines() if "bronxbot" in line]
    assert code == 0 and not complaints, output


def exposure_is_low(folder, _):
    for service in SERVICES:
        code, output = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
                               str(folder / service))
        last = output.strip().splitlines()[-1]
        print("    " + last)
        assert code == 0, output


def the_socket_outlives_the_process(folder, _):
    for name, unit in (("bronxbot", "bronxbot"), ("bronxbot@", "bronxbot@%i")):
        service = (folder / f"{name}.service").read_text()
        socket = (folder / f"{name}.socket").read_text()
        assert values(service, "Requires") == [f"{unit}.socket"]
        assert values(service, "RuntimeDirectory") == [], "it would take the socket with it"
        assert values(socket, "Service") == [f"{unit}.service"]
        assert values(socket, "FileDescriptorName") == ["http"]
        assert values(socket, "ReusePort") == []
        assert int(values(socket, "Backlog")[0]) >= 1024


def secrets_come_as_credentials_and_stay_out_of_core_dumps(folder, _):
    for name in SERVICES:
        service = (folder / name).read_text()
        given = {line.split("=", 1)[0] for line in values(service, "Environment")}
        assert "DISCORD_BOT_TOKEN" not in given and "DISCORD_BOT_TOKEN_FILE" in given
        assert values(service, "LoadCredential")
        assert values(service, "LimitCORE") == ["0"]


def confinement(unit):
    return [line for line in unit.split("# --- What it can't do.")[1].split("[Install]")[0].splitlines() if line]


def none_can_do_more_than_the_single_bot(folder, _):
    bot, instance, worker = ((folder / name).read_text() for name in SERVICES)
    assert confinement(worker) == confinement(bot)
    assert confinement(instance) == confinement(bot)
    assert values(worker, "ExecStart") == ["/usr/local/bin/bronxbot worker"]


def each_has_a_port_of_its_own_for_operators(folder, _):
    # bronxbot.service's is the default, 9464; instances have 9471 to 9479.
    bot, instance, worker = ((folder / name).read_text() for name in SERVICES)
    assert "ADMIN_LISTEN" not in bot
    assert values(instance, "Environment")[0] == "ADMIN_LISTEN=127.0.0.1:947%i"
    assert values(worker, "Environment")[0] == "ADMIN_LISTEN=127.0.0.1:9466"


def nginx_and_systemd_name_the_same_socket(folder, nginx):
    path = values((folder / "bronxbot.socket").read_text(), "ListenStream")[0]
    assert f"server unix:{path};" in (nginx / "upstream-one.conf").read_text()
    path = values((folder / "bronxbot@.socket").read_text(), "ListenStream")[0]
    fleet = (nginx / "upstream-fleet.conf").read_text()
    for instance in "123":
        assert fleet.count(f"server unix:{path.replace('%i', instance)} ") == 2


def main():
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze")
        return SKIPPED
    folder, nginx, binary = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    for test, argument in ((units_are_accepted, binary), (exposure_is_low, None),
                           (the_socket_outlives_the_process, None),
                           (secrets_come_as_credentials_and_stay_out_of_core_dumps, None),
                           (none_can_do_more_than_the_single_bot, None),
                           (each_has_a_port_of_its_own_for_operators, None),
                           (nginx_and_systemd_name_the_same_socket, nginx)):
        test(folder, argument)
        print("ok", test.__name__)
    return 0


sys.exit(main())
