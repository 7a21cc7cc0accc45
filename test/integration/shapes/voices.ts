export const LANGUAGES = ["typescript", "python", "ruby"] as const;

/** Who speaks: the language and form in which a step's handler is written. */
export interface Speaker {
  readonly language: (typeof LANGUAGES)[number];
  readonly form: "class" | "functional";
}

/** One assignment of speakers to the steps of a template, by their place in it. */
export interface Voice {
  readonly name: string;
  at(step: number): Speaker;
}

const FORMS = ["class", "functional"] as const;
const SPEAKERS: readonly Speaker[] = FORMS.flatMap((form) =>
  LANGUAGES.map((language) => ({ language, form })),
);

/** Every step in one language and form. */
export const VOICES: readonly Voice[] = SPEAKERS.map((speaker) => ({
  name: `${speaker.language}_${speaker.form}`,
  at: () => speaker,
}));

/** Every step in another language than the one before; each language in both forms. */
export const MIXED: Voice = {
  name: "mixed",
  at: (step) => SPEAKERS[step % SPEAKERS.length] as Speaker,
};

/** What a template writes as `callable`. Ruby's classes go by their constant. */
export function callable({ language, form }: Speaker, word: string): string {
  if (language !== "ruby" || form === "functional") return `${language}.${form}.${word}`;
  return `Shapes::${word.charAt(0).toUpperCase()}${word.slice(1)}Handler`;
}
