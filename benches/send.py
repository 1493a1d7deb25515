"""`scripts/bench send`: handing mails over, beside postfix's smtp-source and the least there is."""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

from measure import ROOT, built, medians, timed

SIZE = 20480


def arguments(parser):
    parser.add_argument("--connections", default="10,50")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--durability", default="power,process")
    parser.add_argument("--signed", action="store_true")
    parser.add_argument("--delay", type=int, default=0, metavar="MILLISECONDS")
    parser.add_argument("--folder", default=os.path.join(ROOT, "target"))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def disk_wait(folder):
    """The median wait for the disk after a small write, in milliseconds."""
    waits = []
    with open(os.path.join(folder, "wait"), "wb", buffering=0) as file:
        for _ in range(400):
            file.write(bytes(500))
            started = time.monotonic()
            os.fdatasync(file.fileno())
            waits.append((time.monotonic() - started) * 1000)
    return statistics.median(waits)


class Publication:
    """A publication with one article, whose mail is about 20 KB, and as many readers as messages."""

    def __init__(self, pressrun, folder, port, options):
        self.pressrun, self.folder, self.port, self.options = pressrun, folder, port, options
        self.readers = os.path.join(folder, "readers.csv")
        with open(self.readers, "w", encoding="utf-8") as file:
            file.write("email\n" + "".join(f"reader-{one}@example.com\n" for one in range(options.messages)))
        self.words = self.fitting()

    def run(self, *line, root):
        return subprocess.run([self.pressrun, "--config", root, *line], check=True, stdout=subprocess.PIPE, text=True).stdout

    def make(self, name, words, connections, durability):
        root = os.path.join(self.folder, name)
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(os.path.join(root, "content"))
        text = " ".join(f"word{one % 97}" for one in range(words))
        with open(os.path.join(root, "publish.toml"), "w", encoding="utf-8") as file:
            file.write(
                '[publication]\ntitle = "Bench"\naddress = "1 Example Street"\n'
                '[[newsletters]]\nid = "main"\ntitle = "Bench"\nfrom = "Bench <news@example.com>"\n'
                f'[sending]\ndurability = "{durability}"\n'
                f'[[mail.relays]]\nurl = "smtp://127.0.0.1:{self.port}"\nconnections = {connections}\n'
            )
        with open(os.path.join(root, "content", "article.md"), "w", encoding="utf-8") as file:
            file.write(f"---\nid: article\ntitle: An article\ndate: 2026-01-01\nnewsletters: [main]\nsummary: Words.\n---\n{text}\n")
        if self.options.signed:
            said = self.run("dkim", "new", root=root)
            lines = said[said.index("[[mail.dkim.keys]]"):]
            with open(os.path.join(root, "publish.toml"), "a", encoding="utf-8") as file:
                file.write(lines + "\n")
        return root

    def mail(self, root):
        text = self.run("issue", "preview", "article", "--part", "eml", root=root)
        return text.replace("\r\n", "\n").replace("\n", "\r\n")

    def fitting(self):
        """How many words make a mail of 20 KB, found by making two."""
        sizes = [len(self.mail(self.make("fit", words, 1, "power"))) for words in (200, 1200)]
        return int(200 + (SIZE - sizes[0]) * 1000 / (sizes[1] - sizes[0]))

    def sealed(self, connections, durability):
        """A publication with everything done but the sending; its folder and the issue."""
        root = self.make("run", self.words, connections, durability)
        self.run("subscribers", "import", self.readers, "--from", "csv", "--state", "active", "--cadence", "instant", root=root)
        return root, self.run("issue", "send", "article", "--yes", "--detach", root=root).split()[0]

    def send(self, connections, durability):
        root, issue = self.sealed(connections, durability)
        os.sync()
        wall, cpu, memory, output = timed([self.pressrun, "--config", root, "--format", "json", "issue", "send", issue, "--yes"])
        status = json.loads(output.splitlines()[-1])
        if status["sent"] != self.options.messages:
            sys.exit(f"not everything was sent: {status}")
        return wall, cpu, memory


def run(options, folder):
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        sys.exit(f"{folder} is memory, not a disk: choose another with --folder")
    pressrun, floor = built("floor")
    sink_port, port = free_port(), free_port()
    servers = [subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{sink_port}", "1000"])]
    try:
        wait_for(sink_port)
        if options.delay:
            servers.append(subprocess.Popen([floor, "delay", f"127.0.0.1:{port}", f"127.0.0.1:{sink_port}", str(options.delay)]))
            wait_for(port)
        else:
            port = sink_port
        publication = Publication(pressrun, folder, port, options)
        mail = os.path.join(folder, "mail.eml")
        root = publication.make("mail", publication.words, 1, "power")
        with open(mail, "w", newline="", encoding="utf-8") as file:
            file.write(publication.mail(root))
        print(f"{options.messages} mails of {os.path.getsize(mail)} bytes; a wait for the disk ({kind}) is "
              f"{disk_wait(folder):.2f} ms; {os.cpu_count()} cores; {options.rounds} rounds in turn, medians")
        journal = os.path.join(folder, "journal")
        for connections in (int(one) for one in options.connections.split(",")):
            others = {
                "smtp-source": ["/usr/sbin/smtp-source", "-s", str(connections), "-m", str(options.messages), "-l",
                                str(SIZE), "-f", "news@example.com", "-t", "reader@example.com", f"127.0.0.1:{port}"],
                "floor": [floor, "send", f"127.0.0.1:{port}", str(connections), str(options.messages), mail, journal],
            }
            runs = {}
            for _ in range(options.rounds):
                for name, line in others.items():
                    runs.setdefault(name, []).append(timed(line)[:3])
                for durability in options.durability.split(","):
                    runs.setdefault(durability, []).append(publication.send(connections, durability))
            show(connections, options.messages, runs)
    finally:
        for one in servers:
            one.send_signal(signal.SIGTERM)
            one.wait()


def show(connections, messages, runs):
    middle = medians(runs)
    print(f"{connections} connections")
    for name, (wall, cpu, memory) in middle.items():
        ratios = [f"{middle[other][0] / wall:.2f} of {other}" for other in ("floor", "smtp-source") if name not in ("floor", "smtp-source")]
        print(f"  {name:12} {messages / wall:8.0f} mails/s  {cpu / messages * 1e6:6.0f} us of CPU a mail  "
              f"{memory:5.0f} MB  {'  '.join(ratios)}")
    sys.stdout.flush()
