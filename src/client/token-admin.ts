import { checkText } from '../model/text.ts';
import type { IssuedToken, Right, TokenInfo, TokenLimits } from '../model/token.ts';
import { type ClientContext, inCall } from './call-frame.ts';
import type { CallOptions } from './call-options.ts';

export interface CreateTokenOptions extends CallOptions {
  /** 1 to 128 bytes; of no other token that is valid. */
  readonly name: string;
  /** `*`, a title, the beginning of titles with a star behind it, or a namespace's id. Default `*`. */
  readonly namespace?: string;
  /** The keys that start with it. Default: all. */
  readonly prefix?: string;
  readonly rights: readonly Right[];
  /** Seconds from now. Default: it never expires. */
  readonly expiresIn?: number;
  readonly limits?: TokenLimits;
}

export interface RotateTokenOptions extends CallOptions {
  /** Seconds for which the old text goes on to work. Default 0. */
  readonly grace?: number;
}

/** Issues and revokes tokens; the token of this client needs the right `admin` on all namespaces. */
export class TokenAdmin {
  readonly #context: ClientContext;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** The answer's `text` is told this once. @throws ALREADY_EXISTS, INVALID_ARGUMENT */
  async create({ expiresIn, namespace = '*', prefix = '', ...options }: CreateTokenOptions): Promise<IssuedToken> {
    const { name, rights, limits } = options;
    for (const text of [name, namespace, prefix]) checkText(text, 'a text of a token');
    const request = {
      ...{ name, namespace, prefix, rights },
      ...(limits === undefined ? {} : { limits }),
      ...(expiresIn === undefined ? {} : { lifeMs: expiresIn * 1000 }),
    };
    return inCall(this.#context, options, (call) => {
      return this.#context.endpoints.write((node) => node.createToken(request, call));
    });
  }

  /** All but their texts; expired ones too. */
  list(options: CallOptions = {}): Promise<readonly TokenInfo[]> {
    return inCall(this.#context, options, (call) => this.#context.endpoints.read((node) => node.tokens(call)));
  }

  /** Another text for the token of this name or id. @throws NOT_FOUND */
  async rotate(name: string, { grace = 0, ...options }: RotateTokenOptions = {}): Promise<IssuedToken> {
    checkText(name, 'a name');
    const request = { name, graceMs: grace * 1000 };
    return inCall(this.#context, options, (call) => {
      return this.#context.endpoints.write((node) => node.rotateToken(request, call));
    });
  }

  /** Every token of this name, or the one with this id. Resolves with what was revoked. @throws NOT_FOUND */
  async revoke(name: string, options: CallOptions = {}): Promise<readonly TokenInfo[]> {
    checkText(name, 'a name');
    return inCall(this.#context, options, (call) => {
      return this.#context.endpoints.write((node) => node.revokeToken(name, call));
    });
  }
}
