/** Keeps a mistake in one part of the page from taking the rest of it along. */

import { Component, type ComponentChildren } from "preact";

interface Props {
  children: ComponentChildren;
}

interface State {
  error: string | null;
}

export class Boundary extends Component<Props, State> {
  override state: State = { error: null };

  static override getDerivedStateFromError(error: unknown): State {
    return { error: String(error) };
  }

  override componentDidCatch(error: unknown): void {
    console.error("Katydid: a part of the page failed", error);
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <p class="empty" role="alert">
        This part cannot be drawn: {this.state.error}{" "}
        <button type="button" onClick={() => this.setState({ error: null })}>
          Try again
        </button>
      </p>
    );
  }
}
