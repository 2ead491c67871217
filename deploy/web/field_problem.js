/** What is wrong with a field, in words beside it. */

/**
 * Show a problem, or remove the one that was shown.
 *
 * @param {HTMLElement} field In an element of the class "field".
 * @param {string} problem "": none.
 */
export function showProblem(field, problem) {
  const around = field.closest(".field");
  const id = `${field.id}-problem`;
  let words = around?.querySelector(".problem");
  if (!problem) {
    words?.remove();
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
    return;
  }
  if (!words) {
    words = Object.assign(document.createElement("p"), { id, className: "problem" });
    around.append(words);
  }
  words.textContent = problem;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
}
