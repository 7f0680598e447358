import type { Bytes } from "../base/bytes.ts";
import { PUBLISH_BYTES_MAX } from "../constants.ts";
import { err, PushReply, type Reply, SequenceReply } from "../resp/reply.ts";
import type { Command } from "./command.ts";
import { ALL_KEYS, FIRST_KEY } from "./define.ts";
import { localCommand, localContainer, type LocalRun } from "./define_local.ts";
import { globMatches } from "./glob.ts";
import { helpReply, unknownSubcommandOrArity } from "./help.ts";
import type { LocalContext } from "./local_context.ts";
import type { ChannelSpace, SubscriptionView } from "./pubsub_view.ts";

/** SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE: a message for each name, when every node knows of it. */
function subscribe(word: Bytes, space: ChannelSpace): LocalRun {
  return ({ client, node }, argv) => {
    const subscription = node.pubsub.subscription(client);
    const reply = new SequenceReply(
      argv.slice(1).map((name) => {
        subscription.add(space, name);
        return new PushReply([word, name, countBeside(subscription, space)]);
      }),
    );
    const announced = subscription.announced();
    return announced === undefined ? reply : announced.then(() => reply);
  };
}

/** UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE: a message for each name, and for none one with nil. */
function unsubscribe(word: Bytes, space: ChannelSpace): LocalRun {
  return ({ client, node }, argv) => {
    const subscription = node.pubsub.subscription(client);
    const names = argv.length > 1 ? argv.slice(1) : subscription.names(space);
    const replies = names.map((name) => {
      subscription.remove(space, name);
      return new PushReply([word, name, countBeside(subscription, space)]);
    });
    if (replies.length > 0) return new SequenceReply(replies);
    return new SequenceReply([new PushReply([word, null, countBeside(subscription, space)])]);
  };
}

/** Channels and patterns are counted together, shard channels apart. */
function countBeside(subscription: SubscriptionView, space: ChannelSpace): number {
  return space === "shard"
    ? subscription.count("shard")
    : subscription.count("channel") + subscription.count("pattern");
}

const MESSAGE_TOO_LONG = err(`message exceeds the limit of ${PUBLISH_BYTES_MAX} bytes`);

/** PUBLISH channel message */
function publish(context: LocalContext, argv: readonly Bytes[]): Reply {
  return publishTo("channel", context, argv);
}

/** SPUBLISH shardchannel message */
function spublish(context: LocalContext, argv: readonly Bytes[]): Reply {
  return publishTo("shard", context, argv);
}

function publishTo(
  space: "channel" | "shard",
  { node }: LocalContext,
  [, channel, message]: readonly Bytes[],
): Reply {
  if (channel.length + message.length > PUBLISH_BYTES_MAX) return MESSAGE_TOO_LONG;
  return node.pubsub.publish(space, channel, message);
}

/** PUBSUB CHANNELS [pattern]; PUBSUB SHARDCHANNELS [pattern] */
function channels(space: ChannelSpace): LocalRun {
  return ({ node }, argv) => {
    if (argv.length > 3) return unknownSubcommandOrArity("pubsub", argv[1]);
    const names = [...node.pubsub.names(space)];
    return argv.length === 2 ? names : names.filter((each) => globMatches(argv[2], each));
  };
}

/** PUBSUB NUMSUB [channel …]; PUBSUB SHARDNUMSUB [channel …] */
function counts(space: ChannelSpace): LocalRun {
  return ({ node }, argv) =>
    argv.slice(2).flatMap((name) => [name, node.pubsub.count(space, name)]);
}

/** PUBSUB NUMPAT */
function patterns({ node }: LocalContext): Reply {
  return [...node.pubsub.names("pattern")].length;
}

const HELP_LINES = [
  "CHANNELS [<pattern>]",
  "    Return the currently active channels matching a <pattern> (default: '*').",
  "NUMPAT",
  "    Return number of subscriptions to patterns.",
  "NUMSUB [<channel> ...]",
  "    Return the number of subscribers for the specified channels, excluding",
  "    pattern subscriptions(default: no channels).",
  "SHARDCHANNELS [<pattern>]",
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  "SHARDNUMSUB [<shardchannel> ...]",
  "    Return the number of subscribers for the specified shard level channel(s)",
];

/** The commands on channels. */
export const pubsubCommands: readonly Command[] = [
  localCommand("subscribe", -2, subscribe("subscribe", "channel")),
  localCommand("psubscribe", -2, subscribe("psubscribe", "pattern")),
  { ...localCommand("ssubscribe", -2, subscribe("ssubscribe", "shard")), keys: ALL_KEYS },
  localCommand("unsubscribe", -1, unsubscribe("unsubscribe", "channel")),
  localCommand("punsubscribe", -1, unsubscribe("punsubscribe", "pattern")),
  { ...localCommand("sunsubscribe", -1, unsubscribe("sunsubscribe", "shard")), keys: ALL_KEYS },
  localCommand("publish", 3, publish),
  { ...localCommand("spublish", 3, spublish), keys: FIRST_KEY },
  localContainer("pubsub", [
    ["channels", -2, channels("channel")],
    ["numsub", -2, counts("channel")],
    ["numpat", 2, patterns],
    ["shardchannels", -2, channels("shard")],
    ["shardnumsub", -2, counts("shard")],
    ["help", 2, () => helpReply("PUBSUB", HELP_LINES)],
  ]),
];
