-- title           = "Person set something up in a service that computes, which the account had not used for a month"
-- severity        = "medium"
-- confidence      = "low"
-- tags            = ["attack.impact", "attack.t1496.001", "attack.t1496", "attack.defense_evasion", "attack.t1578"]
-- remedy          = "Ask the person what it is for. Who mines at the cost of others takes services that nobody looks at: delete what nobody claims, in every Region, and look at the bill of today."
-- false_positives = "Somebody who tries a service out."
-- description     = "Amplify, App Runner, Batch, Braket, Cloud9, CodeBuild, Deadline Cloud, EMR, GameLift, Image Builder, Lightsail, Parallel Computing, SageMaker, streaming and virtual desktops. An account is known when people changed something in it on three days."
SELECT eventSource,
       sample(userIdentity.arn) AS who,
       sample(eventName) FILTER (WHERE regexp_like(eventName, '^(Create|Run|Start|Submit|Register|Import)')) AS calls,
       sample(awsRegion) AS regions,
       sample(sourceIPAddress) AS addresses,
       eventSource AS resource
FROM cloudtrail
WHERE NOT readOnly
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_person()
GROUP BY account, eventSource, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(eventSource, INTERVAL '30 days')
   AND count(*) FILTER (WHERE regexp_like(eventSource, '^(amplify|apprunner|appstream2?|batch|braket|cloud9|codebuild|datapipeline|deadline|elasticmapreduce|emr-serverless|gamelift|imagebuilder|lightsail|pcs|sagemaker|workspaces)[.]')
                          AND regexp_like(eventName, '^(Create|Run|Start|Submit|Register|Import)')) >= 1
