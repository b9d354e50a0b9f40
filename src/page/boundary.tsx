import { Component, type ComponentChildren } from 'preact';
import { Trouble } from './words.tsx';

interface BoundaryProps {
  /** What is inside, in a few words. */
  readonly what: string;
  readonly children: ComponentChildren;
}

/**
 * A part of the page that may fail by itself: an error while it is drawn is told in its place, and all around it goes on.
 * One with another `key` begins anew.
 */
export class Boundary extends Component<BoundaryProps, { readonly error?: unknown }> {
  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render({ what, children }: BoundaryProps, { error }: { readonly error?: unknown }) {
    if (error === undefined) return children;
    const message = error instanceof Error ? error.message : String(error);
    return (
      <div class="card">
        <Trouble error={new Error(`This page cannot show ${what}: ${message}`)} />
        <button type="button" onClick={() => this.setState({ error: undefined })}>
          Try again
        </button>
      </div>
    );
  }
}
