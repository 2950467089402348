// Of a daemon that hears several sources one is shown: the first, or the one chosen.

export class Sources {
  // `changed` is called when another is to be shown.
  constructor(select, changed) {
    this.select = select;
    this.changed = changed;
    this.chosen = null;
    this.told = new Set();                  // on this connection
    select.addEventListener("change", () => this.choose(select.value));
  }

  // Another connection begins, perhaps to a daemon that hears others.
  begin() { this.told.clear(); }

  choose(name) {
    this.chosen = name;
    this.changed();
  }

  // What to ask for; null for all that there is.
  get wanted() { return this.told.size ? [this.chosen] : null; }

  // Whether a message is of what is shown.
  takes({type, source}) {
    if (type === "hello") this.note(source);
    if (source === undefined) return true;
    if (type !== "hello" && type !== "snapshot") {
      // By now all have been told.
      if (this.select.options.length > this.told.size) this.keep();
      if (!this.told.has(this.chosen)) {
        this.choose(this.told.values().next().value ?? null);
        return false;
      }
    }
    return source === this.chosen;
  }

  note(name) {
    if (name === undefined) {
      this.keep();
      this.chosen = null;
      return;
    }
    this.told.add(name);
    this.chosen ??= name;
    if (![...this.select.options].some(({value}) => value === name)) {
      const option = document.createElement("option");
      option.textContent = option.value = name;
      this.select.append(option);
    }
    this.show();
  }

  // Not those of another daemon.
  keep() {
    for (const option of [...this.select.options])
      if (!this.told.has(option.value)) option.remove();
    this.show();
  }

  show() {
    const {options} = this.select;
    this.select.parentElement.hidden = options.length < 2;
    if (this.select.value !== this.chosen) this.select.value = this.chosen;
  }
}
