"""What a study tells as it goes on, kept."""

from tfkd.study.progress import SilentStudy


class Recording(SilentStudy):
    def __init__(self):
        self.done, self.epochs = [], []

    def start(self, runs, epochs):
        self.started = (runs, epochs)

    def epoch(self, name, record):
        self.epochs.append((name, record.epoch))

    def finished(self, run, result):
        self.done.append(run.name)
