"""Judges how the reports of a real Postfix are read: `postfix.py PRESSRUN FOLDER maildir|lmtp`, as root, in a network
namespace and a mount namespace of its own; `scripts/judge-postfix` makes both."""

import email
import grp
import json
import os
import pathlib
import pwd
import socketserver
import struct
import subprocess
import sys
import threading
import time

PRESSRUN, FOLDER, WAY = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]

# Who, when the server of their domain says what (none: Postfix finds out by itself), what that is about, and whether
# they are not mailed any more.
CASES = [
    ("reader@there.example.com", None, None, None, False),
    ("gone@there.example.com", "RCPT", "550 5.1.1 User unknown in virtual mailbox table", "gone", True),
    ("bare@there.example.com", "RCPT", "550 no such user here", "gone", True),
    ("closed@there.example.com", "RCPT", "550 5.2.1 This account has been disabled", "inactive", True),
    ("full@there.example.com", "DATA", "552 5.2.2 Mailbox is full", "full", False),
    ("filling@there.example.com", "RCPT", "452 4.2.2 Mailbox is over quota", "full", False),
    ("grey@there.example.com", "RCPT", "450 4.7.1 Greylisted, try again in five minutes", "rate", False),
    ("later@there.example.com", "RCPT", "451 4.3.0 Something is wrong here; user unknown for now", "later", False),
    ("relayed@there.example.com", "RCPT", "554 5.7.1 Relay access denied", "policy", False),
    ("spam@there.example.com", "DATA", "554 5.7.1 Message looks like spam", "policy", False),
    ("proof@there.example.com", "DATA", "550 5.7.26 Mail from this domain is not authenticated", "authentication", False),
    ("large@small.example.com", None, None, "message", False),
    ("somebody@here.example.com", None, None, "gone", True),
    ("nobody@nowhere.example.net", None, None, "gone", True),
    ("nobody@null.example.net", None, None, "gone", True),
    ("nobody@unsure.example.net", None, None, "later", False),
    ("nobody@down.example.com", None, None, "later", False),
    ("nobody@loop.example.com", None, None, "refused", False),
]
SAYS = {address: (when, words) for address, when, words, _, _ in CASES if when}


class Server(socketserver.StreamRequestHandler):
    """A mail server that refuses whom CASES say; the one on port 2601 takes nothing larger than 1,000 bytes."""

    def handle(self):
        self.say("220 there.example.com ESMTP")
        to = ""
        for line in self.rfile:
            verb = line[:4].upper().strip().decode("ascii", "replace")
            if verb == "EHLO":
                size = 1000 if self.server.server_address[1] == 2601 else 10_000_000
                self.say(f"250-there.example.com\r\n250 SIZE {size}")
            elif verb == "RCPT":
                to = line.split(b"<")[1].split(b">")[0].decode()
                self.say(self.refusal("RCPT", to) or "250 2.1.5 ok")
            elif verb == "DATA":
                self.say("354 go ahead")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say(self.refusal("DATA", to) or "250 2.0.0 taken")
            elif verb == "QUIT":
                return self.say("221 2.0.0 bye")
            else:
                self.say("250 2.0.0 ok")

    def refusal(self, at, to):
        when, words = SAYS.get(to, (None, None))
        return words if when == at else None

    def say(self, words):
        self.wfile.write(words.encode() + b"\r\n")


class Names(socketserver.BaseRequestHandler):
    """DNS in which nothing is there, but null.example.net, which takes no mail (RFC 7505)."""

    def handle(self):
        query, answer_to = self.request
        end = query.index(b"\0", 12) + 5
        name, kind = query[12:end - 4].lower(), struct.unpack(">H", query[end - 4:end - 2])[0]
        is_null = name == b"\4null\7example\3net\0"
        code = 0 if is_null else 2 if name.startswith(b"\6unsure\7example\3net") else 3
        answer = b"\xc0\x0c" + struct.pack(">HHIHH", 15, 1, 60, 3, 0) + b"\0" if is_null and kind == 15 else b""
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, int(bool(answer)), 0, 0)
        answer_to.sendto(head + query[12:end] + answer, self.client_address)


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


def serve(kind, port, handler):
    server = kind(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def postfix(act):
    subprocess.run(["postfix", "-c", FOLDER / "etc", act], check=True, capture_output=act == "stop")


def start_postfix():
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "log", "in", "data"):
        (FOLDER / name).mkdir()
    for name in ("in", "data"):
        os.chown(FOLDER / name, owner.pw_uid, grp.getgrgid(owner.pw_gid).gr_gid)
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": FOLDER / "queue",
        "data_directory": FOLDER / "data",
        "maillog_file": FOLDER / "log/postfix",
        "maillog_file_prefixes": FOLDER / "log",
        "myhostname": "relay.example.com",
        "mydestination": "here.example.com",
        "mynetworks": "127.0.0.0/8",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_peername_lookup": "no",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "alias_maps": "",
        "mail_spool_directory": FOLDER / "in",
        # It takes mail for people it does not know, and says so by a report.
        "local_recipient_maps": "",
        "recipient_delimiter": "+",
        "transport_maps": f"texthash:{FOLDER}/etc/transport",
        "queue_run_delay": "1s",
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "1s",
        "maximal_queue_lifetime": "6s",
        "bounce_queue_lifetime": "6s",
        "delay_warning_time": "2s",
        "notify_classes": "",
    }
    transport = {
        "there.example.com": "smtp:[127.0.0.1]:2600",
        "small.example.com": "smtp:[127.0.0.1]:2601",
        "down.example.com": "smtp:[127.0.0.1]:2602",
        "loop.example.com": "smtp:[127.0.0.1]:2525",
    }
    if WAY == "lmtp":
        settings["relay_domains"] = "bounces.example.com"
        transport["bounces.example.com"] = "lmtp:inet:127.0.0.1:2424"
    else:
        settings |= {
            "virtual_mailbox_domains": "bounces.example.com",
            "virtual_mailbox_base": FOLDER / "in",
            "virtual_mailbox_maps": "inline:{bounces@bounces.example.com=Maildir/}",
            "virtual_minimum_uid": 1,
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}",
        }
    services = [
        "127.0.0.1:2525 inet n - n - - smtpd", "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 1 1 qmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "lmtp unix - - n - - lmtp",
        "showq unix n - n - - showq", "error unix - - n - - error", "retry unix - - n - - error",
        "local unix - n n - - local", "virtual unix - n n - - virtual", "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
    ]
    lines = {
        "main.cf": [f"{name} = {value}" for name, value in settings.items()],
        "master.cf": services,
        "transport": [f"{domain} {way}" for domain, way in transport.items()],
    }
    for name, text in lines.items():
        (FOLDER / "etc" / name).write_text("\n".join(text) + "\n")
    postfix("start")


def pressrun(*arguments):
    done = subprocess.run([PRESSRUN, "--config", FOLDER / "site", "--format", "json", *arguments],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"pressrun {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None


def send():
    """Sends an issue to everybody; gives its id."""
    (FOLDER / "site/content").mkdir(parents=True)
    lmtp = 'lmtp = "127.0.0.1:2424"\n' if WAY == "lmtp" else ""
    (FOLDER / "site/publish.toml").write_text(
        '[publication]\ntitle = "The Example"\nurl = "https://news.example.com"\naddress = "1 Example Street"\n'
        f'[mail]\nbounces-to = "bounces@bounces.example.com"\n{lmtp}[[mail.relays]]\nurl = "smtp://127.0.0.1:2525"\n'
        '[[newsletters]]\nid = "wire"\ntitle = "The Wire"\nfrom = "wire@news.example.com"\n')
    (FOLDER / "site/content/news.md").write_text(
        "---\nid: news\ntitle: News\nsummary: What is new.\ndate: 2026-01-02\nnewsletters: [wire]\n---\n\nText.\n")
    readers = FOLDER / "readers.csv"
    readers.write_text("email,cadence\n" + "".join(f"{case[0]},instant\n" for case in CASES))
    pressrun("subscribers", "import", readers, "--from", "csv", "--newsletter", "wire", "--state", "active")
    status = pressrun("issue", "send", "content/news.md", "--yes")
    assert (status["state"], status["sent"]) == ("finished", len(CASES)), f"Postfix did not take all of it: {status}"
    return status["issue"]


def wait_for_the_queue():
    for _ in range(120):
        time.sleep(0.5)
        queue = subprocess.run(["postqueue", "-c", FOLDER / "etc", "-j"], capture_output=True, text=True, check=True)
        if not queue.stdout.strip():
            return
    sys.exit(f"Postfix is not done:\n{queue.stdout}")


def read_maildir():
    """Reads each report by itself, then the maildir; gives what is wrong."""
    wrong, count = [], 0
    for file in sorted((FOLDER / "in/Maildir/new").iterdir()):
        count += 1
        mail = email.message_from_bytes(file.read_bytes())
        status = next(part for part in mail.walk() if part.get_content_type() == "message/delivery-status")
        field = lambda name: " ".join(str(status.get_payload()[1].get(name, "")).split())
        action, read = field("Action"), pressrun("bounces", "read", file)
        what = "bounce" if read["bounces"] else "nothing"
        print(f"  {field('Final-Recipient')} | {action} | {field('Status')} | {field('Diagnostic-Code')} -> {what}")
        if (read["read"], read["bounces"]) != (1, int(action == "failed")):
            wrong.append(f"{field('Final-Recipient')}, {action}: {read}")
    read = pressrun("bounces", "read", FOLDER / "in/Maildir")
    if (read["read"], read["suppressed"]) != (count, 0):
        wrong.append(f"all of them again: {read}")
    return wrong


def judge(issue):
    """Says of each case what was read; gives what is wrong."""
    wrong = []
    for address, _, _, cause, is_suppressed in CASES:
        causes = [one["cause"] for one in pressrun("issue", "why", issue, address)["returns"]]
        was_suppressed = pressrun("subscribers", "show", address)["state"] == "suppressed"
        is_right = (causes, was_suppressed) == ([cause] if cause else [], is_suppressed)
        print(f"{'ok   ' if is_right else 'WRONG'} {address}: {', '.join(causes) or 'nothing'}"
              f"{', not mailed any more' if was_suppressed else ''}")
        if not is_right:
            wrong.append(address)
    return wrong


def main():
    (FOLDER / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", FOLDER / "resolv.conf", "/etc/resolv.conf"], check=True)
    serve(socketserver.ThreadingUDPServer, 53, Names)
    serve(TcpServer, 2600, Server)
    serve(TcpServer, 2601, Server)
    worker = None
    start_postfix()
    try:
        issue = send()
        if WAY == "lmtp":
            worker = subprocess.Popen([PRESSRUN, "--config", FOLDER / "site", "--quiet", "worker"])
        wait_for_the_queue()
        wrong = (read_maildir() if WAY == "maildir" else []) + judge(issue)
    finally:
        postfix("stop")
        if worker:
            worker.terminate()
            worker.wait()
    sys.exit(f"read wrong: {'; '.join(wrong)}" if wrong else 0)


main()
