// Conversations of several requests: each holds the messages and the answers before it. Users differ
// from their first word on, apart from a prefix that all share, so that nobody is served from another
// one's cache; each goes on where its own last answer ended.
import type { AskMessage } from "./record.js";

/** What conversations are made of. */
export interface ConversationSource {
  /** How many requests the next conversation has, from 1. */
  readonly turns: () => number;
  /** The first message of a user. */
  readonly first: () => string;
  /** A later one. */
  readonly later: () => string;
}

/** One request of a conversation. */
export interface Turn {
  /** From 1. */
  readonly number: number;
  readonly messages: readonly AskMessage[];
  /** To be told its answer, or null where it has none: the conversation ends there then. */
  readonly answered: (text: string | null) => void;
}

/** Some users at once; where all wait for answers and another request is wanted, one more comes. */
export class Conversations {
  readonly #source: ConversationSource;
  readonly #users: number;
  /** Those whose last request was answered; the one that waits longest first. */
  readonly #idle: Conversation[] = [];
  #open = 0;

  /** @param users from 1 */
  constructor(source: ConversationSource, users: number) {
    this.#source = source;
    this.#users = users;
  }

  /** Of a new user while there are too few, else of the one that waits longest. */
  next(): Turn {
    const waiting = this.#open < this.#users ? undefined : this.#idle.shift();
    const conversation = waiting ?? this.#begin();
    const content = conversation.turn === 0 ? this.#source.first() : this.#source.later();
    conversation.turn += 1;
    conversation.messages = [...conversation.messages, { role: "user", content }];
    const { turn: number, messages } = conversation;
    return { number, messages, answered: (text) => this.#answered(conversation, text) };
  }

  #begin(): Conversation {
    this.#open += 1;
    return { turns: this.#source.turns(), turn: 0, messages: [] };
  }

  #answered(conversation: Conversation, text: string | null): void {
    if (text === null || conversation.turn >= conversation.turns) {
      this.#open -= 1;
      return;
    }
    conversation.messages = [...conversation.messages, { role: "assistant", content: text }];
    this.#idle.push(conversation);
  }
}

interface Conversation {
  readonly turns: number;
  turn: number;
  messages: readonly AskMessage[];
}
