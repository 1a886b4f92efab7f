"""A Slurm of one node on this machine: real daemons, real queue, as many made-up cores and GPUs as a test wants."""

import os
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from waiting import wait_for

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
CLIENT_CONFIG = Path("/run/slurm/conf")
"""Where clients look whose environment names no configuration, such as those that a job starts."""

SETTINGS = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
MailProg=/bin/true
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=400000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={host} MaxTime=UNLIMITED State=UP
"""


@dataclass(frozen=True)
class Record:
    """What Slurm knows of a job that ended."""

    rule: str  # or group
    state: str
    partition: str
    gpus: int
    started: datetime
    ended: datetime


class Cluster:
    """The daemons; `start` waits until the node is idle, `stop` ends them and cancels what runs."""

    def __init__(self, folder: Path, cores: int, gpus: int):
        self.folder = folder
        self._cores = cores
        self._gpus = gpus
        self._daemons: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start munge, the controller and the node."""
        for name in ("state", "spool", "conf"):
            (self.folder / name).mkdir(parents=True)
        self._write_configuration()
        self._link_configuration()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._spawn(
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket"]
            + [f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed")]
        )
        wait_for(lambda: (self.folder / "munge.socket").exists(), self._logs)
        self._spawn(["slurmctld", "-D"])
        self._spawn(["slurmd", "-D"])
        wait_for(lambda: self.ask("sinfo", "--noheader", "--format=%T").split()[:1] == ["idle"], self._logs)

    def stop(self) -> None:
        """Cancel all jobs and end the daemons."""
        if self._daemons:
            subprocess.run(["scancel", "--full", "--user=root"], env=self.environment, capture_output=True)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        CLIENT_CONFIG.unlink(missing_ok=True)

    def crash_node(self) -> None:
        """Kill the node's daemon and all that it runs, without a warning, and start the daemon again."""
        lines = self.ask("scontrol", "listpids").splitlines()[1:]
        running = [psutil.Process(int(line.split()[0])) for line in lines]
        steps = {process.parent() for process in running if process.parent().name() == "slurmstepd"}
        if not steps:
            raise RuntimeError(f"no job runs on the node: {lines}")
        node = self._daemons.pop()
        for process in [*steps, *running]:
            with suppress(psutil.NoSuchProcess):  # some end as soon as their step is gone
                process.kill()
        node.kill()
        node.wait()
        # Slurm finds out by itself, after minutes; an administrator who knows says so, and so does this.
        name = socket.gethostname()
        self.ask("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=crashed")
        self._spawn(["slurmd", "-D"])
        self.ask("scontrol", "update", f"NodeName={name}", "State=RESUME")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user of the cluster."""
        return os.environ | {"SLURM_CONF": str(self.folder / "conf/slurm.conf")}

    def ask(self, *command: str) -> str:
        """Return what a command of Slurm prints, '' where it fails."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout

    def jobs(self) -> list[Record]:
        """Return the records of the jobs that ended, in the order of their numbers."""
        lines = self.ask("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [_record(line) for line in lines if re.search(r" JobState=(?!PENDING|RUNNING|COMPLETING)", line)]

    def _spawn(self, command: list[str]) -> None:
        with (self.folder / f"{command[0]}.out").open("ab") as output:
            self._daemons.append(subprocess.Popen(command, env=self.environment, stdout=output, stderr=output))

    def _logs(self) -> str:
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in self.folder.glob("*.log"))

    def _write_configuration(self) -> None:
        conf = self.folder / "conf"
        ports = [_free_port(), _free_port()]
        (conf / "slurm.conf").write_text(
            SETTINGS.format(
                folder=self.folder,
                host=socket.gethostname(),
                controller_port=ports[0],
                node_port=ports[1],
                cores=self._cores,
                gpus=self._gpus,
            )
        )
        for name in ("cgroup.conf", "plugstack.conf"):
            (conf / name).write_text("")
        for number in range(self._gpus):
            subprocess.run(["mknod", self.folder / f"gpu{number}", "c", "1", "3"], check=True)
        devices = f"{self.folder}/gpu[0-{self._gpus - 1}]"
        (conf / "gres.conf").write_text(f"NodeName={socket.gethostname()} Name=gpu File={devices}\n")

    def _link_configuration(self) -> None:
        CLIENT_CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CLIENT_CONFIG.unlink(missing_ok=True)
        CLIENT_CONFIG.symlink_to(self.folder / "conf")


def why_not() -> str:
    """Return why no cluster can be started here; '' where one can."""
    if os.geteuid() != 0:
        return "Slurm's daemons are started as root"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (Debian: {' '.join(PACKAGES)})" if missing else ""


def _record(line: str) -> Record:
    fields = dict(re.findall(r"(\w+)=(\S*)", line))
    gpus = re.search(r"TresPer\w+=\S*gpu:(\d+)", line)
    return Record(
        rule=re.sub("^(rule|group)_|_wildcards_.*", "", fields["Comment"]),
        state=fields["JobState"],
        partition=fields["Partition"],
        gpus=int(gpus.group(1)) if gpus else 0,
        started=datetime.fromisoformat(fields["StartTime"]),
        ended=datetime.fromisoformat(fields["EndTime"]),
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
