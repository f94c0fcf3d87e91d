-- title           = "Commitment, hosts or a product of others was bought by hand"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1657"]
-- remedy          = "Ask whoever pays; open a case with AWS at once if nobody knows of it, as few commitments can be given back."
-- false_positives = "Whoever buys for the company."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'reservedInstancesOfferingId', requestParameters ->> 'reservedDBInstancesOfferingId', requestParameters ->> 'savingsPlanOfferingId', requestParameters ->> 'offeringId', account) AS resource,
       CASE WHEN eventName = 'AllocateHosts' THEN 'Dedicated hosts were taken by hand'
            WHEN eventName = 'AcceptAgreementRequest' THEN 'Product of the AWS Marketplace was bought by hand'
            WHEN eventName = 'CreateSavingsPlan' THEN 'Savings plan was bought by hand'
            ELSE 'Reservation of capacity was bought by hand' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'savingsplans.amazonaws.com', 'rds.amazonaws.com', 'aws-marketplace.amazonaws.com')
  AND eventName IN ('PurchaseReservedInstancesOffering', 'PurchaseHostReservation', 'PurchaseCapacityBlock', 'CreateSavingsPlan', 'PurchaseReservedDBInstancesOffering', 'AllocateHosts', 'AcceptAgreementRequest')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName IN ('PurchaseHostReservation', 'PurchaseCapacityBlock')
       OR is_by_hand())
