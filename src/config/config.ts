import type { KindValues, Target } from './option.ts';
import type { options } from './options.ts';

type Options = typeof options;

type OneValue<K> = K extends { readonly oneOf: readonly (infer Choice)[] }
  ? Choice
  : K extends keyof KindValues
    ? KindValues[K]
    : never;

type ValueOf<O> = O extends { readonly kind: infer K; readonly list: true }
  ? ReadonlyArray<OneValue<K>>
  : O extends { readonly kind: infer K }
    ? OneValue<K> | (O extends { readonly default: unknown } ? never : undefined)
    : never;

/** The resolved options of one target: every field has its value; one without default and not given is undefined. */
export type ConfigOf<T extends Target> = {
  readonly [F in keyof Options as T extends Options[F]['targets'][number] ? F : never]: ValueOf<Options[F]>;
};

export type OriginConfig = ConfigOf<'origin'>;
export type EdgeConfig = ConfigOf<'edge'>;
export type ClientConfig = ConfigOf<'client'>;
