/** Photos in: chosen, dropped anywhere, pasted, or one of the samples. */

export class Intake {
  /**
   * @param {HTMLElement} section
   * @param {{take: (files: File[]) => void, say: (words: string) => void}} owner
   */
  constructor(section, owner) {
    this.owner = owner;
    section.querySelector("#files").addEventListener("change", (event) => {
      owner.take([...event.target.files]);
      event.target.value = "";
    });
    for (const button of section.querySelectorAll("[data-sample]")) {
      button.addEventListener("click", () => this.takeSample(button.dataset.sample));
    }
    addEventListener("paste", (event) => this.take([...event.clipboardData.files]));
    for (const name of ["dragenter", "dragover"]) {
      addEventListener(name, (event) => this.holdsFiles(event) && this.mark(true));
    }
    addEventListener("dragleave", (event) => event.relatedTarget === null && this.mark(false));
    addEventListener("drop", (event) => this.holdsFiles(event) && this.drop(event.dataTransfer));
  }

  take(files) {
    if (files.length) this.owner.take(files);
  }

  async takeSample(name) {
    try {
      const answer = await fetch(`samples/${name}`);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.take([new File([await answer.blob()], name, { type: "image/jpeg" })]);
    } catch {
      this.owner.say("The sample can't be loaded. Check the connection and try again.");
    }
  }

  holdsFiles(event) {
    const holds = event.dataTransfer.types.includes("Files");
    if (holds) event.preventDefault();
    return holds;
  }

  drop(data) {
    this.mark(false);
    const items = [...data.items].filter((item) => item.kind === "file");
    const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory);
    this.take(files.map((item) => item.getAsFile()));
    if (files.length < items.length) this.owner.say("Folders can't be added. Open the folder and drop its photos.");
  }

  mark(over) {
    document.body.classList.toggle("over", over);
  }
}
